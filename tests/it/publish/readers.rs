//! Readers see the last good table or the new one: never an error, never an empty or partial table.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use barncat::sql::TableName;
use tokio_postgres::{Client, Statement};

use crate::support::warehouse::{Database, Load};

const ROWS: i64 = 40;
const PUBLISHES: usize = 200;

/// A load whose rows all carry its number.
fn load(previous: Option<&Load>, table: &str, number: usize) -> Load {
    let rows: String = (0..ROWS).map(|id| format!("{id},{number},n{number}\n")).collect();
    let id = format!("01{}{number:04}", table.to_uppercase());
    let load = match previous {
        Some(previous) => Load::after(previous, &id, &[&rows]),
        None => Load::new(&id, &[&rows]),
    };
    Load { table: TableName::new("raw", table), ..load }
}

const VIEWS: &str = "
    CREATE SCHEMA bi; GRANT ALL ON SCHEMA bi TO barncat_warehouse; SET ROLE barncat_warehouse;
    CREATE VIEW bi.orders AS SELECT id, fee, note FROM raw.orders;
    CREATE VIEW bi.top WITH (security_barrier) AS
        SELECT o.id, o.fee, o.note FROM bi.orders o JOIN raw.orders r USING (id)";

/// How one reader reads.
#[derive(Clone, Copy)]
struct Reader {
    relation: &'static str,
    is_prepared: bool,
    is_repeatable: bool,
}

/// All combinations that a BI tool may come up with.
const READERS: [Reader; 8] = [
    Reader { relation: "raw.orders", is_prepared: false, is_repeatable: false },
    Reader { relation: "raw.orders", is_prepared: true, is_repeatable: false },
    Reader { relation: "raw.orders", is_prepared: true, is_repeatable: true },
    Reader { relation: "bi.orders", is_prepared: true, is_repeatable: false },
    Reader { relation: "bi.orders", is_prepared: false, is_repeatable: true },
    Reader { relation: "bi.top", is_prepared: false, is_repeatable: false },
    Reader { relation: "bi.top", is_prepared: true, is_repeatable: false },
    Reader { relation: "bi.top", is_prepared: true, is_repeatable: true },
];

impl Reader {
    fn sql(self) -> String {
        format!("SELECT count(*), count(DISTINCT note), max(fee)::text FROM {}", self.relation)
    }

    /// Reads until it is told to stop; how often it read.
    async fn read(self, client: Client, is_over: Arc<AtomicBool>) -> Result<usize, String> {
        let sql = self.sql();
        let prepared = client.prepare(&sql).await.map_err(|error| format!("{sql}: {error:?}"))?;
        let (mut reads, mut last) = (0, 0);
        while !is_over.load(Ordering::Relaxed) {
            let prepared = self.is_prepared.then_some(&prepared);
            let seen =
                self.once(&client, &sql, prepared).await.map_err(|error| format!("{sql}: {error:?}"))?;
            for (rows, loads, number) in seen {
                if rows != ROWS || loads != 1 {
                    return Err(format!("{sql}: {rows} rows of {loads} loads"));
                }
                if number < last {
                    return Err(format!("{sql}: load {number} after load {last}"));
                }
                last = number;
            }
            reads += 1;
            // Readers that never pause would leave two cores nothing for the publishes.
            tokio::time::sleep(std::time::Duration::from_millis(4)).await;
        }
        Ok(reads)
    }

    async fn once(
        self,
        client: &Client,
        sql: &str,
        prepared: Option<&Statement>,
    ) -> Result<Vec<(i64, i64, u32)>, tokio_postgres::Error> {
        if self.is_repeatable {
            // The snapshot is taken here, and may be older than the table that is read with it.
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await?;
        }
        let mut seen = Vec::new();
        for _ in 0..=usize::from(self.is_repeatable) {
            seen.push(match prepared {
                Some(prepared) => row(&client.query_one(prepared, &[]).await?),
                None => plain(client, sql).await?,
            });
            tokio::task::yield_now().await;
        }
        if self.is_repeatable {
            client.batch_execute("COMMIT").await?;
        }
        Ok(seen)
    }
}

fn row(row: &tokio_postgres::Row) -> (i64, i64, u32) {
    let number: Option<String> = row.get(2);
    (row.get(0), row.get(1), number.map_or(0, |text| number_of(&text)))
}

/// By the simple protocol, without a prepared statement.
async fn plain(client: &Client, sql: &str) -> Result<(i64, i64, u32), tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let found = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((row.get(0)?.parse().ok()?, row.get(1)?.parse().ok()?, row.get(2).map_or(0, number_of)))
        }
        _ => None,
    });
    Ok(found.expect("an aggregate is one row"))
}

fn number_of(fee: &str) -> u32 {
    fee.split('.').next().and_then(|text| text.parse().ok()).expect("the fee is the load's number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_readers_and_two_hundred_publishes() {
    let database = Database::new().await;
    let mut last = load(None, "orders", 1);
    database.publish(&last).await.unwrap();
    database.run(VIEWS).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for reader in READERS {
        readers.push(tokio::spawn(reader.read(database.connect().await, is_over.clone())));
    }
    for number in 2..PUBLISHES + 2 {
        let next = load(Some(&last), "orders", number);
        let published = database.publish(&next).await;
        assert!(published.is_ok(), "publish {number}: {published:?}");
        last = next;
        assert!(
            !readers.iter().any(tokio::task::JoinHandle::is_finished),
            "a reader ended at publish {number}"
        );
    }
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        let reads = reader.await.unwrap().unwrap();
        assert!(reads > PUBLISHES, "only {reads} reads: readers were held up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tables_under_one_view_are_published_at_once() {
    let database = Arc::new(Database::new().await);
    let (orders, riders) = (load(None, "orders", 1), load(None, "riders", 1));
    database.publish(&orders).await.unwrap();
    database.publish(&riders).await.unwrap();
    database
        .run(
            "SET ROLE barncat_warehouse;
             CREATE VIEW raw.both AS SELECT o.note AS one, r.note AS other FROM raw.orders o JOIN raw.riders r USING (id);
             CREATE VIEW raw.again AS SELECT b.*, r.fee FROM raw.both b CROSS JOIN (SELECT max(fee) AS fee FROM raw.riders) r",
        )
        .await;
    let publish = |table: &'static str, mut last: Load| {
        let database = database.clone();
        tokio::spawn(async move {
            for number in 2..22 {
                let next = load(Some(&last), table, number);
                database.publish(&next).await.map_err(|error| format!("{table} {number}: {error}"))?;
                last = next;
            }
            Ok::<(), String>(())
        })
    };
    let (one, other) = (publish("orders", orders), publish("riders", riders));
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert_eq!(database.texts("SELECT DISTINCT one || other FROM raw.again").await, ["n21n21"]);
}
