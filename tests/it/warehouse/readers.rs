//! Readers of Redshift's double while tables are published: whatever is answered is a whole state. In a swap a
//! reader may be told to try again, as Redshift may tell it; rows that are replaced or merged tell nobody so.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use barncat::{
    pg::Connection,
    sql::TableName,
    warehouse::{Increment, PublishKind},
};
use tokio_postgres::SimpleQueryMessage;

use super::place::Place;
use crate::support::{
    ground::{Ground, tests_on},
    warehouse::Load,
};

tests_on!(by_data_api DataApi: readers_see_one_whole_state_after_another);
tests_on!(by_wire Wire: readers_see_one_whole_state_after_another);

const ROWS: u32 = 40;
const PUBLISHES: u32 = 25;

const TABLES: [(&str, PublishKind); 3] =
    [("swapped", PublishKind::Swap), ("replaced", PublishKind::Replace), ("merged", PublishKind::Merge)];

/// What Redshift says to somebody who reads in the moment of a swap (redshift.md, 2.4 and 2.5).
const TRY_AGAIN: [&str; 4] =
    ["does not exist", "1018", "could not open relation with OID", "dropped by concurrent"];

/// A load whose rows all carry its number.
fn numbered(place: &Place, previous: Option<&Load>, (table, kind): (&str, PublishKind), number: u32) -> Load {
    let rows: String = (0..ROWS).map(|id| format!("{id},{number},n{number}\n")).collect();
    let change = |it: &mut barncat::warehouse::Publication| {
        if it.kind == PublishKind::Merge {
            it.increment = Some(Increment {
                added: vec![],
                late: None,
                gone: vec![vec!["1000".to_owned()]],
                is_whole: false,
                table_rows: None,
            });
        }
    };
    match previous {
        None => Load { table: TableName::new("raw", table), ..place.load(&[&rows]) },
        Some(previous) => Load { kind, change, ..Place::after(previous, &[&rows]) },
    }
}

/// What one reader has met.
#[derive(Debug, Default)]
struct Met {
    reads: u32,
    states: u32,
    /// How often it was told to try again.
    again: BTreeMap<String, u32>,
}

/// Reads a table, in transactions of two reads or one by one, until it is told to stop.
async fn read(
    session: Connection,
    relation: String,
    in_transactions: bool,
    may_be_told_to_try_again: bool,
    is_over: Arc<AtomicBool>,
) -> Met {
    let sql = format!("SELECT count(*), count(DISTINCT note), max(fee)::int FROM {relation}");
    let (mut met, mut last) = (Met::default(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let mut numbers = Vec::new();
        let read = async {
            if in_transactions {
                session.simple_query("BEGIN").await?;
            }
            for _ in 0..=u32::from(in_transactions) {
                numbers.push(one(&session.simple_query(&sql).await?));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if in_transactions {
                session.simple_query("COMMIT").await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        if let Err(error) = read.await {
            let told = error.as_db_error().map_or_else(
                || format!("{error:?}"),
                |error| format!("{} {}", error.message(), error.detail().unwrap_or_default()),
            );
            let again = TRY_AGAIN.iter().find(|words| told.contains(*words));
            let again = again.filter(|_| may_be_told_to_try_again);
            *met.again.entry((*again.unwrap_or_else(|| panic!("{sql}: {told}"))).to_owned()).or_default() +=
                1;
            session.simple_query("ROLLBACK").await.expect("it can always roll back");
        }
        for (rows, loads, number) in numbers {
            assert_eq!((rows, loads), (ROWS, 1), "{sql}: {rows} rows of {loads} loads");
            assert!(number >= last, "{sql}: load {number} after load {last}");
            met.states += u32::from(number > last);
            last = number;
        }
        met.reads += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    met
}

fn one(messages: &[SimpleQueryMessage]) -> (u32, u32, u32) {
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.expect("an aggregate is one row");
    let number = |at: usize| row.get(at).and_then(|text| text.parse().ok()).expect("it is a number");
    (number(0), number(1), number(2))
}

async fn readers_see_one_whole_state_after_another(ground: Ground) {
    let place = Arc::new(Place::on(ground).await);
    let mut lasts = Vec::new();
    for table in TABLES {
        lasts.push(place.published(numbered(&place, None, table, 1)).await);
    }
    let late = "CREATE VIEW \"raw\".late AS SELECT id, fee, note FROM \"raw\".swapped WITH NO SCHEMA BINDING";
    place.reader().await.simple_query(late).await.expect("the view is made");
    place.run_as_owner("CREATE VIEW raw.bound AS SELECT id, fee, note FROM raw.replaced").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for (relation, in_transactions) in [
        ("swapped", false),
        ("swapped", true),
        ("late", false),
        ("replaced", false),
        ("replaced", true),
        ("bound", false),
        ("merged", false),
        ("merged", true),
    ] {
        let may_be_told = matches!(relation, "swapped" | "late");
        let (session, over) = (place.reader().await, is_over.clone());
        let reader = read(session, format!("\"raw\".{relation}"), in_transactions, may_be_told, over);
        readers.push((relation, tokio::spawn(reader)));
    }
    let mut publishers = Vec::new();
    for (table, mut last) in TABLES.into_iter().zip(lasts) {
        let place = place.clone();
        publishers.push(tokio::spawn(async move {
            for number in 2..PUBLISHES + 2 {
                last = place.published(numbered(&place, Some(&last), table, number)).await;
            }
        }));
    }
    for publisher in publishers {
        publisher.await.expect("each publish goes well");
    }
    is_over.store(true, Ordering::Relaxed);
    for (relation, reader) in readers {
        let met = reader.await.unwrap_or_else(|error| panic!("{relation}: {error}"));
        eprintln!("{relation}: {met:?}");
        assert!(met.reads > PUBLISHES && met.states > PUBLISHES / 3, "{relation} was held up: {met:?}");
    }
}
