//! Readers of the warehouse's tables, who note every state that they see.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_postgres::Row;

use super::schema_changes::TABLES;
use crate::support::{
    connect_to,
    project::{INTO, Project},
};

/// A table's rows: how many, and a checksum over all that they hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    rows: i64,
    checksum: String,
}

impl State {
    /// As the warehouse has it.
    pub(super) async fn of(project: &Project, table: &str) -> Self {
        let sql = sql(INTO, table);
        Self::shown(&project.database.query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))[0])
    }

    /// As the source has it.
    pub(super) async fn of_source(project: &Project, table: &str) -> Self {
        let sql = sql(project.source.name(), table);
        Self::shown(&project.source.query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))[0])
    }

    fn shown(row: &Row) -> Self {
        Self { rows: row.get(0), checksum: row.get(1) }
    }
}

fn sql(schema: &str, table: &str) -> String {
    format!(
        "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM \"{schema}\".{table} t"
    )
}

/// What each table was seen as, and how often it was looked at.
type Seen = BTreeMap<&'static str, (BTreeSet<State>, u32)>;

/// Readers at work.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
    published: BTreeMap<String, BTreeSet<State>>,
}

impl Readers {
    /// One that plans its query each time, and one that has prepared it once.
    pub(super) fn start(url: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = |is_prepared| tokio::spawn(read(url.to_owned(), stop.clone(), is_prepared));
        let tasks = [false, true].map(reader).into();
        Self { stop, tasks, published: BTreeMap::new() }
    }

    /// Notes a state that may be seen from now on.
    pub(super) fn publish(&mut self, table: &str, state: State) {
        self.published.entry(table.to_owned()).or_default().insert(state);
    }

    /// Stops them. Fails where one met an error, or saw anything but a published state.
    pub(super) async fn saw_only_what_was_published(self) {
        self.stop.store(true, Ordering::Relaxed);
        for reader in self.tasks {
            let seen = reader.await.expect("no reader met an error");
            for (table, (states, reads)) in seen {
                let published = &self.published[table];
                let odd: Vec<&State> = states.difference(published).collect();
                assert!(odd.is_empty(), "{table} was seen as it never was: {odd:?} not of {published:?}");
                assert!(reads > 20 && states.len() > 1, "{table}: {reads} reads saw {} states", states.len());
            }
        }
    }
}

async fn read(url: String, stop: Arc<AtomicBool>, is_prepared: bool) -> Seen {
    let client = connect_to(&url).await;
    let mut statements = Vec::new();
    for table in TABLES {
        let sql = sql(INTO, table);
        statements.push((*table, client.prepare(&sql).await.expect("the table is there"), sql));
    }
    let mut seen = Seen::new();
    while !stop.load(Ordering::Relaxed) {
        for (table, statement, sql) in &statements {
            let row = match is_prepared {
                true => client.query_one(statement, &[]).await,
                false => client.query_one(sql.as_str(), &[]).await,
            };
            let row = row.unwrap_or_else(|error| panic!("{sql}, prepared: {is_prepared}: {error:?}"));
            let (states, reads) = seen.entry(table).or_default();
            states.insert(State { rows: row.get(0), checksum: row.get(1) });
            *reads += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}
