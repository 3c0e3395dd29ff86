//! A published table, hashed where it is.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;

use super::{
    Cluster, RedshiftError, dialect,
    transport::{Answer, Batch},
};
use crate::compare::{Bucket, Chosen, Detail, Entries, Entry, Hash, Key, Look, Side, SideError, Total};

/// Buckets that one statement lists: far fewer bytes than it may have.
const BUCKETS_A_STATEMENT: usize = 2000;

/// A table that is asked several times. No session is held, so that it is no lock that keeps others from
/// publishing: whether somebody did is asked at the end.
pub(super) struct RedshiftSide {
    cluster: Arc<Cluster>,
    look: Look,
    load: Option<String>,
}

impl RedshiftSide {
    pub(super) async fn begin(cluster: Arc<Cluster>, look: Look) -> Result<Self, RedshiftError> {
        let load = last(&cluster, &look).await?;
        Ok(Self { cluster, look, load })
    }

    async fn ask(&self, sql: String) -> Result<Answer, RedshiftError> {
        let [answer] =
            self.cluster.ask(Batch::new(format!("compare {}", self.look.table), "compare").then(sql)).await?;
        Ok(answer)
    }

    fn wrong(&self) -> RedshiftError {
        RedshiftError::Answer {
            doing: format!("compare {}", self.look.table),
            what: "another form than was asked for".to_owned(),
        }
    }

    fn from(&self) -> String {
        let table = dialect::table(&self.look.table);
        match &self.look.condition {
            // The line break ends a comment that the condition may end in.
            Some(condition) => format!("FROM {table} WHERE ({condition}\n)"),
            None => format!("FROM {table}"),
        }
    }
}

async fn last(cluster: &Cluster, look: &Look) -> Result<Option<String>, RedshiftError> {
    Ok(cluster.last_loads(Some(&look.table)).await?.into_iter().next().map(|row| row.load))
}

#[async_trait]
impl Side for RedshiftSide {
    fn fingerprint(&self) -> Option<i64> {
        None
    }

    async fn total(&mut self, _hash: Hash) -> Result<Total, SideError> {
        let hash = number("h");
        let sql = format!(
            "SELECT count(*)::varchar, coalesce(sum({hash}::decimal(38, 0)), 0)::varchar FROM (SELECT {} AS h {}) AS hashed",
            row_md5(&self.look),
            self.from()
        );
        let answer = self.ask(sql).await?;
        let [Some(rows), Some(sum)] = answer.rows.first().map(Vec::as_slice).unwrap_or_default() else {
            return Err(self.wrong().into());
        };
        Ok(Total { rows: rows.parse().map_err(|_| self.wrong())?, sum: sum.clone() })
    }

    async fn buckets(&mut self, _hash: Hash, of: u32) -> Result<Vec<Bucket>, SideError> {
        let sql = format!(
            "SELECT count(*)::varchar, sum({}::decimal(38, 0))::varchar, {}::varchar
             FROM (SELECT {} AS h, {} AS k {}) AS hashed GROUP BY 3 ORDER BY 3",
            number("h"),
            bucket("k", of),
            row_md5(&self.look),
            md5(&self.look.key),
            self.from()
        );
        let mut buckets = Vec::new();
        for row in self.ask(sql).await?.rows {
            let [Some(rows), Some(sum), Some(number)] = row.as_slice() else {
                return Err(self.wrong().into());
            };
            buckets.push(Bucket {
                number: number.parse().map_err(|_| self.wrong())?,
                total: Total { rows: rows.parse().map_err(|_| self.wrong())?, sum: sum.clone() },
            });
        }
        buckets.sort_by_key(|bucket| bucket.number);
        Ok(buckets)
    }

    async fn entries(
        &mut self,
        _hash: Hash,
        chosen: &Chosen,
        detail: Detail,
    ) -> Result<Entries<'_>, SideError> {
        let md5s: Vec<String> = match detail {
            Detail::Row => vec![row_md5(&self.look)],
            Detail::Columns => self.look.row.iter().map(|one| md5(std::slice::from_ref(one))).collect(),
        };
        let hashes: String =
            (0..md5s.len()).map(|at| format!(", {}::varchar", number(&format!("h{at}")))).collect();
        let md5s: String = md5s.iter().enumerate().map(|(at, md5)| format!(", {md5} AS h{at}")).collect();
        let numbers: Vec<String> = chosen.numbers.iter().map(u32::to_string).collect();
        let mut entries = Vec::new();
        for some in numbers.chunks(BUCKETS_A_STATEMENT) {
            let sql = format!(
                "SELECT {}::varchar, key{hashes} FROM (SELECT {} AS k, {} AS key{md5s} {}) AS hashed WHERE {} IN ({})",
                number("k"),
                md5(&self.look.key),
                crate::compare::portable_key(&self.look.key),
                self.from(),
                bucket("k", chosen.of),
                some.join(", ")
            );
            for row in self.ask(sql).await?.rows {
                entries.push(entry(row).ok_or_else(|| self.wrong())?);
            }
        }
        entries.sort_by(Entry::order);
        Ok(Box::pin(stream::iter(entries.into_iter().map(Ok))))
    }

    async fn close(self: Box<Self>) -> Result<(), SideError> {
        if last(&self.cluster, &self.look).await? == self.load {
            return Ok(());
        }
        Err(RedshiftError::Superseded { table: self.look.table.clone() }.into())
    }
}

fn entry(row: Vec<Option<String>>) -> Option<Entry> {
    let mut values = row.into_iter();
    let key_hash = values.next()??.parse().ok()?;
    let key = Key::new(values.next()??);
    let hashes: Option<Vec<i64>> = values.map(|value| value?.parse().ok()).collect();
    Some(Entry { key_hash, key, hashes: hashes?, newer: false })
}

/// The MD5 of a row: of its key and all that is compared besides.
fn row_md5(look: &Look) -> String {
    let all: Vec<String> = look.key.iter().chain(&look.row).cloned().collect();
    md5(&all)
}

/// The MD5 of some values.
fn md5(expressions: &[String]) -> String {
    crate::compare::portable_md5(expressions, |text| format!("md5({text}::varchar)"))
}

/// The first half of an MD5, as the same signed number that a source makes of it: `strtol` takes no more
/// than 63 bits, so it is put together of two halves.
fn number(md5: &str) -> String {
    let half = |from: u32| format!("strtol(substring({md5}, {from}, 8), 16)");
    let high = half(1);
    format!(
        "(({high} - CASE WHEN {high} > 2147483647 THEN 4294967296 ELSE 0 END) * 4294967296 + {})",
        half(9)
    )
}

/// The bucket of a key's MD5: the end of the number's bits, of which there are few enough to be an integer's.
fn bucket(md5: &str, of: u32) -> String {
    format!("(strtol(substring({md5}, 13, 4), 16) & {})", of.saturating_sub(1))
}
