use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::{
    event::Tier,
    source::{
        SourceError,
        http::{
            Answer, Ask, Headers, Media, Target,
            collect::Watch,
            paging::{Kind, Paging, PagingError, Parameter, Path},
        },
    },
    sql::TableName,
    stage::{self, SharedStage},
};

#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Scripted {
    what: String,
    class: Class,
}

impl Fault for Scripted {
    fn class(&self) -> Class {
        self.class
    }
}

fn refuse(class: Class) -> SourceError {
    Box::new(Scripted { what: "the server answered".to_owned(), class })
}

/// A service of pages by cursor: `/NAME` has so many pages of two records.
#[derive(Default)]
struct Service {
    pages: HashMap<String, u64>,
    /// How often each page was asked for.
    asked: Mutex<Vec<(String, u64)>>,
    /// The requests after which it fails, counted from 1, and how.
    fails: Mutex<HashMap<u64, Class>>,
    /// Names that it does not know.
    unknown: Vec<String>,
    /// What it says of the total from its nth request on, counted from 1.
    totals: Mutex<Vec<(u64, u64)>>,
    requests: AtomicU64,
}

impl Service {
    fn of(pages: &[(&str, u64)]) -> Self {
        let pages = pages.iter().map(|(name, pages)| ((*name).to_owned(), *pages)).collect();
        Self { pages, ..Self::default() }
    }

    fn asked(&self) -> Vec<(String, u64)> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }

    fn fail_at(&self, request: u64, class: Class) {
        self.fails.lock().unwrap().insert(request, class);
    }
}

#[async_trait]
impl Ask for Service {
    async fn ask(&self, request: &Request, _: Tier) -> Result<Answer, SourceError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(class) = self.fails.lock().unwrap().remove(&number) {
            return Err(refuse(class));
        }
        let Target::Path(path) = &request.target else { panic!("it goes by cursor") };
        let name = path.trim_start_matches('/').to_owned();
        if self.unknown.contains(&name) {
            return Err(refuse(Class::Lasting));
        }
        let after = request.query.iter().find(|(own, _)| own == "after");
        let page: u64 = after.map_or(0, |(_, value)| value.parse().unwrap());
        self.asked.lock().unwrap().push((name.clone(), page));
        let next = if page + 1 < self.pages[&name] { (page + 1).to_string() } else { "null".to_owned() };
        let total = self.totals.lock().unwrap().iter().rev().find(|(from, _)| *from <= number).copied();
        let total = total.map_or("null".to_owned(), |(_, total)| total.to_string());
        let body = format!(r#"{{"data": ["{name} {page}", "x"], "next": {next}, "total": {total}}}"#);
        Ok(Answer {
            status: 200,
            headers: Headers::default(),
            url: format!("https://api.example{path}"),
            body: Bytes::from(body),
            asked_at: Timestamp::UNIX_EPOCH,
            answered_at: Timestamp::UNIX_EPOCH,
            tries: 1,
        })
    }
}

struct Deaf;

#[async_trait]
impl Watch for Deaf {
    async fn came(&self, _: u64, _: u64) {}
}

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A stage, and how a service is asked into it.
struct Scene {
    _folder: tempfile::TempDir,
    stage: SharedStage,
    prefix: CollectionPrefix,
    paging: Paging,
    names: Vec<String>,
    enough: Option<u64>,
    keeps_failed: bool,
}

impl Scene {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (at, parameter) = (Path::read("$.next").unwrap(), Parameter::Query("after".to_owned()));
        let paging = Paging { kind: Kind::Cursor { at, parameter }, pages_max: 100, ..Paging::default() };
        Self {
            stage: stage::local(folder.path().to_owned()),
            _folder: folder,
            prefix: CollectionPrefix::new("p", "test", &TableName::new("raw", "items"), ID),
            paging,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            enough: None,
            keeps_failed: false,
        }
    }

    fn with_total(mut self) -> Self {
        self.paging.total = Some(Path::read("$.total").unwrap());
        self
    }

    fn question(&self) -> Question {
        let query = |name: &String| Query {
            request: Request::get(format!("/{name}"), Media::Json),
            given: Given::default(),
        };
        let queries = self.names.iter().map(query).collect();
        Question::now(ID.to_owned(), "definition".to_owned(), queries)
    }

    async fn collect(&self, service: &Service) -> Result<CollectionManifest, CollectError> {
        self.ask(service, self.question()).await
    }

    async fn ask(&self, service: &Service, question: Question) -> Result<CollectionManifest, CollectError> {
        let count = |_: &[u8], _: Media| Ok(2);
        let collect = Collect {
            stage: &self.stage,
            prefix: &self.prefix,
            ask: service,
            paging: &self.paging,
            count: &count,
            tier: Tier::Optional,
            at_once: 3,
            body_bytes_max: 1 << 20,
            records_enough: self.enough,
            keeps_failed: self.keeps_failed,
            watch: &Deaf,
            headers: &[],
            records_of_missing: None,
        };
        collect.run(question).await
    }

    async fn bodies(&self, manifest: &CollectionManifest) -> Vec<String> {
        let mut bodies = Vec::new();
        for answer in &manifest.answers {
            let read = read_answer(&self.stage, &answer.part.key, Some(&answer.part), 1 << 20).await;
            let body = String::from_utf8(read.unwrap().1.to_vec()).unwrap();
            bodies.push(body.split('"').nth(3).unwrap().to_owned());
        }
        bodies
    }
}

fn pages(name: &str, count: u64) -> Vec<(String, u64)> {
    (0..count).map(|page| (name.to_owned(), page)).collect()
}

#[tokio::test]
async fn every_page_of_every_query_is_staged_in_its_place() {
    let scene = Scene::new(&["a", "b", "c", "d"]);
    let service = Service::of(&[("a", 3), ("b", 1), ("c", 2), ("d", 2)]);
    let manifest = scene.collect(&service).await.unwrap();
    assert_eq!(scene.bodies(&manifest).await, ["a 0", "a 1", "a 2", "b 0", "c 0", "c 1", "d 0", "d 1"]);
    assert_eq!((manifest.records(), manifest.queries, manifest.is_cut), (16, 4, false));
    let read = CollectionManifest::read(&*scene.stage, &scene.prefix, &manifest.sha256).await.unwrap();
    assert_eq!(read, manifest);
    assert!(CollectionManifest::read(&*scene.stage, &scene.prefix, "other").await.is_err());
}

#[tokio::test]
async fn a_collection_that_was_cut_off_anywhere_is_gone_on_with_and_nothing_is_asked_twice() {
    for cut in 1..=8 {
        let scene = Scene::new(&["a", "b", "c"]);
        let service = Service::of(&[("a", 4), ("b", 2), ("c", 2)]);
        service.fail_at(cut, Class::Passing);
        let error = scene.collect(&service).await.unwrap_err();
        assert_eq!(error.class(), Class::Passing);
        let manifest = scene.collect(&service).await.unwrap();
        assert_eq!(manifest.records(), 16);
        let asked = service.asked();
        let expected = [pages("a", 4), pages("b", 2), pages("c", 2)].concat();
        // Others may have been in flight when one failed.
        let twice = asked.len() - expected.len();
        assert!(twice <= 2, "{asked:?}");
        assert_eq!(scene.bodies(&manifest).await.len(), 8);
        // Whole: nothing at all is asked, and the manifest is the same.
        let again = scene.collect(&service).await.unwrap();
        assert_eq!((again, service.asked()), (manifest, asked));
    }
}

#[tokio::test]
async fn one_query_asks_no_page_twice() {
    for cut in 1..=5 {
        let scene = Scene::new(&["a"]);
        let service = Service::of(&[("a", 5)]);
        service.fail_at(cut, Class::Passing);
        scene.collect(&service).await.unwrap_err();
        scene.collect(&service).await.unwrap();
        assert_eq!(service.asked(), pages("a", 5), "{cut}");
    }
}

#[tokio::test]
async fn another_question_or_an_altered_answer_is_asked_anew() {
    let scene = Scene::new(&["a"]);
    let service = Service::of(&[("a", 3)]);
    let manifest = scene.collect(&service).await.unwrap();
    // An answer in the stage becomes another one.
    let key = &manifest.answers[1].part.key;
    let mut upload = scene.stage.put(key).await.unwrap();
    upload.write(Bytes::from_static(b"junk")).await.unwrap();
    upload.finish().await.unwrap();
    assert!(read_answer(&scene.stage, key, Some(&manifest.answers[1].part), 1 << 20).await.is_err());
    let again = scene.collect(&service).await.unwrap();
    assert_eq!(scene.bodies(&again).await, ["a 0", "a 1", "a 2"]);
    assert_eq!(service.asked().len(), 6);
    // The page behind a gap is of no use.
    scene.stage.delete(std::slice::from_ref(key)).await.unwrap();
    let again = scene.collect(&service).await.unwrap();
    assert_eq!(scene.bodies(&again).await, ["a 0", "a 1", "a 2"]);
    assert_eq!(service.asked().len(), 8);
    let other = Question { definition: "other".to_owned(), ..scene.question() };
    scene.ask(&service, other).await.unwrap();
    assert_eq!(service.asked().len(), 11);
}

#[tokio::test]
async fn records_that_shift_are_asked_once_more_from_the_start_and_then_an_error() {
    let scene = Scene::new(&["a"]).with_total();
    let service = Service::of(&[("a", 2)]);
    *service.totals.lock().unwrap() = vec![(1, 5), (3, 4)];
    let manifest = scene.collect(&service).await.unwrap();
    assert_eq!((manifest.totals.get(&0), manifest.totals.len(), manifest.records()), (Some(&4), 1, 4));
    assert_eq!(service.asked().len(), 4);
    let scene = Scene::new(&["a"]).with_total();
    let service = Service::of(&[("a", 2)]);
    *service.totals.lock().unwrap() = vec![(1, 5)];
    let error = scene.collect(&service).await.unwrap_err();
    let expected = PagingError::Total { said: 5, came: 4 };
    assert!(matches!(&error, CollectError::Paging(error) if *error == expected), "{error}");
    assert_eq!((error.class(), service.asked().len()), (Class::Passing, 4));
}

#[tokio::test]
async fn a_query_that_fails_for_good_is_noted_and_not_asked_again() {
    let mut scene = Scene::new(&["a", "gone", "c"]);
    let service = Service { unknown: vec!["gone".to_owned()], ..Service::of(&[("a", 1), ("c", 1)]) };
    let error = scene.collect(&service).await.unwrap_err();
    assert_eq!(error.class(), Class::Lasting);
    scene.keeps_failed = true;
    let manifest = scene.collect(&service).await.unwrap();
    let failed: Vec<u64> = manifest.failed.iter().map(|failed| failed.number).collect();
    assert_eq!((failed, manifest.records(), manifest.totals.len()), (vec![1], 4, 0));
    let requests = service.requests.load(Ordering::Relaxed);
    assert_eq!(scene.collect(&service).await.unwrap(), manifest);
    assert_eq!(service.requests.load(Ordering::Relaxed), requests);
}

#[tokio::test]
async fn no_more_is_asked_when_there_is_enough() {
    let mut scene = Scene::new(&["a", "b", "c"]);
    scene.enough = Some(5);
    let service = Service::of(&[("a", 2), ("b", 9), ("c", 1)]);
    let manifest = scene.collect(&service).await.unwrap();
    assert_eq!(scene.bodies(&manifest).await, ["a 0", "a 1", "b 0"]);
    assert!(manifest.is_cut);
    assert_eq!(service.asked().len(), 3);
}
