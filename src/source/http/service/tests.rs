use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::{
    error::Class,
    schema::{CsvForm, Cursor, Format},
    source::{
        Extraction, ReachQuestion,
        http::{
            Answer, CursorForm, Headers, Media, OnBadRecord, Pattern, Piece, Request, RowColumn, Span,
            Target, Time,
            paging::{Kind, Paging, Parameter, Path},
            records::{ColumnSpec, ColumnType, Duplicates, ValuePath},
        },
    },
    stage,
};

/// Answers by path and cursor.
struct Book {
    pages: HashMap<&'static str, &'static str>,
    requests: AtomicU64,
}

#[async_trait]
impl Ask for Book {
    async fn ask(&self, request: &Request, _: Tier) -> Result<Answer, SourceError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Target::Path(path) = &request.target else { panic!("it goes by cursor") };
        let pairs: Vec<String> =
            request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let asked = format!("{path}?{}", pairs.join("&"));
        let body = self.pages.get(asked.as_str()).unwrap_or_else(|| panic!("nobody asks for {asked}"));
        Ok(Answer {
            status: 200,
            headers: Headers::default(),
            url: format!("https://api.example{path}"),
            body: Bytes::from_static(body.as_bytes()),
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

fn name() -> TableName {
    TableName::new("fx", "items")
}

fn column(name: &str, column_type: ColumnType) -> RowColumn {
    let path = ValuePath::field(name);
    let spec = ColumnSpec { name: name.to_owned(), path, column_type, nullable: true, hash: false };
    RowColumn { spec, asked: None, nullable: true }
}

fn table() -> ServiceTable {
    let (at, parameter) = (Path::read("$.next").unwrap(), Parameter::Query("after".to_owned()));
    let asked = Asked {
        name: name(),
        method: "GET".to_owned(),
        path: Pattern(vec![Piece::Text("/items".to_owned())]),
        parameters: vec![("since".to_owned(), Pattern(vec![Piece::Since(Time::Plain)]))],
        headers: Vec::new(),
        body: None,
        media: Media::Json,
        paging: Paging { kind: Kind::Cursor { at, parameter }, pages_max: 9, ..Paging::default() },
        windows: None,
        from: None,
        cursor: CursorForm::Plain,
        records_of_missing: None,
        keeps_failed: false,
    };
    let rows = RowSettings {
        columns: vec![column("id", ColumnType::BigInt), column("note", ColumnType::Text)],
        key: vec!["id".to_owned()],
        on_bad_record: OnBadRecord::Fail,
        duplicates: Duplicates::Fail,
    };
    ServiceTable { asked, records: RecordsPath::read("$.data[*]").unwrap(), rows }
}

fn book(pages: &[(&'static str, &'static str)]) -> Arc<Book> {
    Arc::new(Book { pages: pages.iter().copied().collect(), requests: AtomicU64::new(0) })
}

struct Scene {
    _folder: tempfile::TempDir,
    stage: SharedStage,
    service: Service,
}

impl Scene {
    fn new(table: ServiceTable, book: &Arc<Book>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = ServiceSettings {
            base: String::new(),
            name: "fx".to_owned(),
            place: "https://api.example".to_owned(),
            connections: 2,
            body_bytes_max: 1 << 20,
            resume_for: Duration::from_secs(60),
        };
        let service = Service::new(settings, book.clone(), [table]);
        Self { stage: stage::local(folder.path().to_owned()), _folder: folder, service }
    }

    async fn collection(&self, id: &str, since: Option<&str>) -> (CollectionPrefix, CollectionManifest) {
        let table = self.service.table(&name()).unwrap();
        let prefix = CollectionPrefix::new("p", "test", &name(), id);
        let now = Timestamp::UNIX_EPOCH;
        let span = Span { since: since.map(str::to_owned), until: None, now };
        let question = Question {
            since: span.since.clone(),
            ..Question::now(id.to_owned(), "definition".to_owned(), table.asked.queries(&span).unwrap())
        };
        let place = (&self.stage, &prefix);
        let collected = self.service.collect(table, place, Tier::Optional, None, &Deaf, question).await;
        (prefix, collected.unwrap())
    }

    async fn snapshot(&self) -> Arc<dyn Snapshot> {
        let collection = self.collection("01ARZ3NDEKTSV4RRFFQ69G5FAV", None).await;
        self.of(vec![collection])
    }

    fn of(&self, collections: Vec<(CollectionPrefix, CollectionManifest)>) -> Arc<dyn Snapshot> {
        let table = self.service.table(&name()).unwrap();
        self.service.collected(table, &self.stage, collections)
    }
}

fn extraction(columns: &[&str]) -> Extraction {
    Extraction {
        table: name(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        expressions: Vec::new(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: Format::Csv,
        csv: CsvForm::default(),
        counted: 0,
        part_bytes: 0,
        by_index: false,
    }
}

async fn rows(snapshot: &dyn Snapshot, extraction: &Extraction) -> Result<String, SourceError> {
    let (mut csv, mut counted) = (Vec::new(), 0);
    for part in snapshot.plan_parts(extraction).await? {
        let mut stream = snapshot.read(&part).await?;
        while let Some(chunk) = stream.next().await? {
            counted += chunk.rows;
            csv.extend_from_slice(&chunk.bytes);
        }
    }
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv.lines().count() as u64, counted);
    Ok(csv)
}

const PAGES: &[(&str, &str)] = &[
    ("/items?", r#"{"data": [{"id": 1, "note": "a"}, {"id": 2, "note": null}], "next": "x"}"#),
    ("/items?after=x", r#"{"data": [{"id": 2, "note": null}, {"id": 9007199254740993, "note": "c,"}]}"#),
];

#[tokio::test]
async fn records_of_all_pages_are_rows_and_the_same_one_counts_once() {
    let book = book(PAGES);
    let scene = Scene::new(table(), &book);
    let snapshot = scene.snapshot().await;
    let schema = snapshot.describe(&name()).await.unwrap();
    assert_eq!((schema.columns.len(), schema.key.clone()), (2, vec!["id".to_owned()]));
    let csv = rows(&*snapshot, &extraction(&["id", "note"])).await.unwrap();
    assert_eq!(csv, "1,a\n2,\n9007199254740993,\"c,\"\n");
    let csv = rows(&*snapshot, &extraction(&["note"])).await.unwrap();
    assert_eq!(csv, "a\n\n\"c,\"\n");
    let cursor = Cursor::of(&name(), &schema, "id").unwrap();
    let since = Some(("7".to_owned(), Duration::ZERO));
    let question = ReachQuestion { table: name(), cursor, condition: None, now: None, since };
    let reach = snapshot.reach(&question).await.unwrap();
    assert_eq!((reach.greatest.as_deref(), reach.low.as_deref()), (Some("9007199254740993"), Some("7")));
    assert_eq!(book.requests.load(Ordering::Relaxed), 2, "rows are made of what is staged");
}

#[tokio::test]
async fn of_two_collections_the_later_record_counts() {
    let later = r#"{"data": [{"id": 2, "note": "new"}, {"id": 3, "note": "d"}]}"#;
    let book = book(&[PAGES[0], PAGES[1], ("/items?since=2", later)]);
    let scene = Scene::new(table(), &book);
    let first = scene.collection("01ARZ3NDEKTSV4RRFFQ69G5FAV", None).await;
    let second = scene.collection("01ARZ3NDEKTSV4RRFFQ69G5FAW", Some("2")).await;
    assert_eq!(second.1.since.as_deref(), Some("2"));
    let alone = scene.of(vec![second.clone()]);
    assert_eq!(alone.answers().unwrap().since.as_deref(), Some("2"));
    let both = scene.of(vec![first, second]);
    assert_eq!(both.answers().unwrap().since, None);
    assert_eq!(both.answers().unwrap().collections.len(), 2);
    let csv = rows(&*both, &extraction(&["id", "note"])).await.unwrap();
    assert_eq!(csv, "1,a\n9007199254740993,\"c,\"\n2,new\n3,d\n");
}

#[tokio::test]
async fn bad_records_fail_the_load_or_are_left_out_and_told_without_their_values() {
    let body =
        r#"{"data": [{"id": 1, "note": "a"}, {"id": "s3cret", "note": "b"}, {"id": 3, "note": {"x": 1}}]}"#;
    let book = book(&[("/items?", body)]);
    let scene = Scene::new(table(), &book);
    let snapshot = scene.snapshot().await;
    let error = rows(&*snapshot, &extraction(&["id", "note"])).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("2 records are not as `columns` says; the first is record 2"), "{said}");
    assert!(said.contains("column `id`") && !said.contains("s3cret"), "{said}");
    assert_eq!(error.class(), Class::Lasting);
    let mut rejecting = table();
    rejecting.rows.on_bad_record = OnBadRecord::Reject;
    let scene = Scene::new(rejecting, &book);
    let snapshot = scene.snapshot().await;
    assert_eq!(rows(&*snapshot, &extraction(&["id", "note"])).await.unwrap(), "1,a\n");
    let left = snapshot.left_out();
    let records: Vec<u64> = left.records.iter().map(|record| record.record).collect();
    assert_eq!((left.count, records), (2, vec![2, 3]));
}

#[tokio::test]
async fn different_records_of_one_key_are_an_error_unless_the_last_one_counts() {
    let body = r#"{"data": [{"id": 1, "note": "a"}, {"id": 1, "note": "b"}]}"#;
    let book = book(&[("/items?", body)]);
    let scene = Scene::new(table(), &book);
    let error = rows(&*scene.snapshot().await, &extraction(&["id", "note"])).await.unwrap_err();
    assert!(ServiceError::of(&error).is_some_and(ServiceError::is_of_answers), "{error}");
    let mut last = table();
    last.rows.duplicates = Duplicates::Last;
    let scene = Scene::new(last, &book);
    let csv = rows(&*scene.snapshot().await, &extraction(&["id", "note"])).await.unwrap();
    assert_eq!(csv, "1,b\n");
}

#[tokio::test]
async fn what_was_asked_for_is_a_column_and_what_is_hashed_does_not_leave() {
    let book = book(&[("/items?since=5", r#"{"data": [{"id": 7, "note": "s3cret"}]}"#)]);
    let mut asked = table();
    let mut since = column("since", ColumnType::BigInt);
    since.asked = Some(Piece::Since(Time::Plain));
    asked.rows.columns.push(since);
    let scene = Scene::new(asked, &book);
    let collection = scene.collection("01ARZ3NDEKTSV4RRFFQ69G5FAV", Some("5")).await;
    let snapshot = scene.of(vec![collection]);
    let hashed = Extraction { hashed: vec!["note".to_owned()], ..extraction(&["since", "id", "note"]) };
    let csv = rows(&*snapshot, &hashed).await.unwrap();
    assert!(csv.starts_with("5,7,") && !csv.contains("s3cret") && csv.len() == 4 + 64 + 1, "{csv}");
}

#[tokio::test]
async fn a_service_is_neither_compared_nor_measured_and_nothing_is_read_before_it_is_asked() {
    let scene = Scene::new(table(), &book(&[]));
    let unasked = scene.service.unasked();
    let error = rows(&*unasked, &extraction(&["id"])).await;
    assert_eq!(error.ok().as_deref(), Some(""), "there is no part");
    assert!(unasked.foreseen(&name(), None).unwrap().starts_with("would ask GET /items"));
    let texts = crate::source::LongestQuestion { table: name(), condition: None, texts: Vec::new() };
    assert_eq!(unasked.longest(&texts).await.unwrap_err().class(), Class::Usage);
    assert!(unasked.describe(&TableName::new("fx", "other")).await.is_err());
    let tables = scene.service.tables("fx").await.unwrap();
    assert_eq!(tables.len(), 1);
}
