//! A table's columns made such that rows fit into it: new ones added, texts widened. Redshift does one of
//! these a statement, and the second outside of transactions alone, so that both come before the publish: a
//! column that is there too early, or too large, harms no reader.

use tokio::time::{Instant, sleep};

use crate::{
    error::{Class, Fault},
    fail_point,
    schema::{Widening, widenings},
    sql::TableName,
    warehouse::{
        StagingColumn,
        redshift::{
            Cluster, RedshiftError,
            dialect::{self, ident},
            publish::{PAUSE, Patience},
            transport::Batch,
        },
    },
};

/// Makes `table` fit rows of these columns, of which only those in `added` may be missing. `name` is that of
/// the batches.
pub(super) async fn fit(
    cluster: &Cluster,
    table: &TableName,
    (wanted, added): (&[StagingColumn], &[StagingColumn]),
    name: &str,
    patience: Option<Patience>,
) -> Result<(), RedshiftError> {
    let begun = Instant::now();
    loop {
        // A lost answer, or one of a lock that was not to be had: what is still missing is seen here.
        let there = cluster.columns(table).await?;
        let Some(change) = next(&there, wanted, added) else { return Ok(()) };
        let mut batch = Batch::new(format!("change the columns of {table}"), name).then(change.sql(table));
        batch.locks = patience.map(|patience| (1, patience.once));
        fail_point!("publish.columns.before");
        let done = cluster.ask::<1>(batch).await;
        fail_point!("publish.columns.after");
        match (done, patience) {
            (Ok(_), _) => {}
            (Err(error), Some(patience))
                if error.class() == Class::Passing && begun.elapsed() < patience.in_all =>
            {
                cluster.transport.settle(name).await?;
                sleep(PAUSE).await;
            }
            (Err(error), _) => return Err(change.refused(table, error)),
        }
    }
}

/// One change of a column.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Add(StagingColumn),
    Widen(Widening),
}

impl Change {
    fn sql(&self, table: &TableName) -> String {
        let table = dialect::table(table);
        match self {
            Self::Add(column) => {
                format!("ALTER TABLE {table} ADD COLUMN {} {}", ident(&column.name), column.sql_type)
            }
            Self::Widen(widening) => {
                format!(
                    "ALTER TABLE {table} ALTER COLUMN {} TYPE {}",
                    ident(&widening.column),
                    widening.sql_type
                )
            }
        }
    }

    /// Some encodings, a default and a key keep a text as large as it is ("ALTER TABLE" in the Database
    /// Developer Guide).
    fn refused(self, table: &TableName, error: RedshiftError) -> RedshiftError {
        match (self, error) {
            (Self::Widen(Widening { column, sql_type }), RedshiftError::Statement { message, .. }) => {
                RedshiftError::NotWidened { table: table.clone(), column, sql_type, message }
            }
            (_, error) => error,
        }
    }
}

/// What is to be done next.
fn next(there: &[StagingColumn], wanted: &[StagingColumn], added: &[StagingColumn]) -> Option<Change> {
    let find = |name: &str| there.iter().find(|column| column.name == name);
    if let Some(column) = added.iter().find(|column| find(&column.name).is_none()) {
        return Some(Change::Add(column.clone()));
    }
    fn typed(column: &StagingColumn) -> (&str, &str) {
        (&column.name, &column.sql_type)
    }
    let both = wanted.iter().filter_map(|column| Some((typed(column), typed(find(&column.name)?))));
    let (wanted, there): (Vec<_>, Vec<_>) = both.unzip();
    // What no widening makes fit was refused before, or its rows will be.
    widenings(&there, &wanted)?.into_iter().next().map(Change::Widen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_added_one_by_one_then_widened() {
        let column = |name: &str, sql_type: &str| StagingColumn {
            name: name.into(),
            sql_type: sql_type.into(),
            nullable: true,
        };
        let table = TableName::new("raw", "t");
        let wanted = [column("id", "bigint"), column("note", "varchar(128)"), column("tip", "integer")];
        let mut there = vec![column("id", "bigint"), column("note", "varchar(64)")];
        let next =
            |there: &[StagingColumn]| next(there, &wanted, &wanted[2..]).map(|change| change.sql(&table));
        assert_eq!(next(&there).as_deref(), Some("ALTER TABLE \"raw\".\"t\" ADD COLUMN \"tip\" integer"));
        there.push(column("tip", "integer"));
        assert_eq!(
            next(&there).as_deref(),
            Some("ALTER TABLE \"raw\".\"t\" ALTER COLUMN \"note\" TYPE varchar(128)")
        );
        there[1].sql_type = "varchar(256)".into();
        assert_eq!(next(&there), None);
    }
}
