//! Splitting a table into parts by ranges of ctid.
//!
//! A range on `ctid` is a TID Range Scan from PostgreSQL 14 on: each part reads only its own blocks.
//! Sizes come from the files, since a standby's statistics may be stale or missing.

use super::{
    PostgresSourceError,
    catalog::{self, Relation},
};
use crate::{
    pg::Connection,
    schema::{CsvForm, RelationKind},
    source::{Extraction, PartOf, PartPlan},
    sql::{TableName, quote_literal},
    stage::manifest::Format,
};

/// Parts of one relation at most: a large table gets larger parts, not more of them.
const PARTS_MAX: u64 = 1_000;

/// A relation with rows of its own.
struct Leaf {
    name: TableName,
    oid: u32,
    /// 0 where it has no blocks of its own (foreign).
    blocks: u64,
    block_bytes: u64,
    readable: bool,
}

/// Plans the parts of a table: those of its partitions one after the other. Never none.
pub(super) async fn plan(
    holder: &Connection,
    extraction: &Extraction,
    relation: &Relation,
    by_ctid: bool,
) -> Result<Vec<PartPlan>, PostgresSourceError> {
    let mut plans = Vec::new();
    if by_ctid {
        let leaves = leaves(holder, extraction, relation).await?;
        // A role that may read the parent need not be allowed to read its partitions by name.
        if leaves.iter().all(|leaf| leaf.readable) {
            for leaf in &leaves {
                plan_leaf(extraction, leaf, &mut plans);
            }
        }
    }
    if plans.is_empty() {
        let only = relation.kind == RelationKind::Table;
        let leaf = (extraction.table.clone(), relation.oid);
        plans.push(part(extraction, 0, leaf, only, None, 0));
    }
    Ok(plans)
}

async fn leaves(
    holder: &Connection,
    extraction: &Extraction,
    relation: &Relation,
) -> Result<Vec<Leaf>, PostgresSourceError> {
    let sql = format!(
        "{} SELECT n.nspname::text, c.relname::text, c.oid,
                CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) ELSE 0 END,
                current_setting('block_size')::bigint, coalesce(has_table_privilege(c.oid, 'SELECT'), true)
         FROM tree JOIN pg_class c ON c.oid = tree.relid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind <> 'p'
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
        catalog::TREE
    );
    let doing = || format!("read the size of {}", extraction.table);
    let rows = holder.query(&sql, &[&relation.oid]).await.map_err(|error| holder.error(doing(), &error))?;
    let leaf = |row: &tokio_postgres::Row| {
        let bytes: u64 = row.get::<_, Option<i64>>(3).unwrap_or(0).try_into().unwrap_or(0);
        let block_bytes: u64 = row.get::<_, i64>(4).try_into().unwrap_or(8192);
        Leaf {
            name: TableName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            oid: row.get(2),
            blocks: bytes / block_bytes.max(1),
            block_bytes,
            readable: row.get(5),
        }
    };
    Ok(rows.iter().map(leaf).collect())
}

fn plan_leaf(extraction: &Extraction, leaf: &Leaf, plans: &mut Vec<PartPlan>) {
    let blocks_a_part =
        (extraction.part_bytes / leaf.block_bytes).max(leaf.blocks.div_ceil(PARTS_MAX)).max(1);
    let mut start = 0;
    loop {
        // The first parts are smaller, so that the warehouse has something to fill early.
        let wanted = if plans.len() < 4 { blocks_a_part.div_ceil(4) } else { blocks_a_part };
        let end = start + wanted;
        let is_last = end >= leaf.blocks;
        let range = match (start, is_last) {
            (0, true) => None,
            (_, true) => Some(format!("ctid >= '({start},0)'::tid")),
            _ => Some(format!("ctid >= '({start},0)'::tid AND ctid < '({end},0)'::tid")),
        };
        let number = u32::try_from(plans.len()).unwrap_or(u32::MAX);
        let bytes = wanted.min(leaf.blocks - start.min(leaf.blocks)) * leaf.block_bytes;
        plans.push(part(extraction, number, (leaf.name.clone(), leaf.oid), true, range, bytes));
        if is_last {
            return;
        }
        start = end;
    }
}

fn part(
    extraction: &Extraction,
    number: u32,
    relation: (TableName, u32),
    only: bool,
    range: Option<String>,
    bytes_estimate: u64,
) -> PartPlan {
    let mut conditions: Vec<String> = range.into_iter().collect();
    if let Some(condition) = &extraction.condition {
        // The line break ends a comment that the condition may end in.
        conditions.push(format!("({condition}\n)"));
    }
    let copy_sql = format!(
        "COPY (SELECT {} FROM {}{}{}{}) TO STDOUT (FORMAT {})",
        extraction.expressions.join(", "),
        if only { "ONLY " } else { "" },
        relation.0.quoted(),
        if conditions.is_empty() { "" } else { " WHERE " },
        conditions.join(" AND "),
        match extraction.format {
            Format::Binary => "binary".to_owned(),
            Format::Csv => in_sql(&extraction.csv),
        }
    );
    PartPlan {
        number,
        table: extraction.table.clone(),
        what: PartOf::Copy { sql: copy_sql, relation },
        format: extraction.format,
        csv: extraction.csv.clone(),
        counted: extraction.counted,
        bytes_estimate,
    }
}

/// COPY's options.
fn in_sql(form: &CsvForm) -> String {
    let mut options = "csv".to_owned();
    if !form.null.is_empty() {
        options = format!("{options}, NULL {}", quote_literal(&form.null));
    }
    if form.quote_all {
        options += ", FORCE_QUOTE *";
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(blocks: u64, part_bytes: u64) -> Vec<PartPlan> {
        let extraction = Extraction {
            table: TableName::new("public", "t"),
            columns: vec!["a".into()],
            expressions: vec!["\"a\"".into()],
            hashed: Vec::new(),
            arrive_as: Vec::new(),
            condition: Some("a > 1 -- one".into()),
            format: Format::Binary,
            csv: CsvForm::default(),
            counted: 0,
            part_bytes,
            by_index: false,
        };
        let name = TableName::new("public", "t");
        let leaf = Leaf { name, oid: 1, blocks, block_bytes: 8192, readable: true };
        let mut plans = Vec::new();
        plan_leaf(&extraction, &leaf, &mut plans);
        plans
    }

    fn sql(plan: &PartPlan) -> &str {
        match &plan.what {
            PartOf::Copy { sql, .. } => sql,
            PartOf::Answers(_) => panic!("it is read by COPY"),
        }
    }

    #[test]
    fn a_small_table_is_one_part_without_a_range() {
        for blocks in [0, 1] {
            let plans = plans(blocks, 1 << 20);
            assert_eq!(plans.len(), 1);
            assert!(!sql(&plans[0]).contains("ctid"), "{}", sql(&plans[0]));
        }
    }

    #[test]
    fn parts_cover_every_block_once_and_the_last_is_open() {
        let plans = plans(1_000, 100 * 8192);
        let mut next = 0;
        for (place, plan) in plans.iter().enumerate() {
            assert_eq!(plan.number as usize, place);
            assert!(sql(plan).contains(&format!("ctid >= '({next},0)'")), "{}", sql(plan));
            match sql(plan).split("ctid < '(").nth(1) {
                Some(rest) => next = rest.split(',').next().unwrap().parse().unwrap(),
                None => assert_eq!(place, plans.len() - 1),
            }
        }
    }

    /// From which block on, and before which one.
    fn range(plan: &PartPlan) -> (u64, u64) {
        let block = |after: &str| {
            let rest = sql(plan).split(after).nth(1)?;
            rest.split(',').next()?.parse().ok()
        };
        (block("ctid >= '(").unwrap_or(0), block("ctid < '(").unwrap_or(u64::MAX))
    }

    proptest::proptest! {
        #[test]
        fn each_block_is_in_one_part(
            blocks in proptest::prop_oneof![0..5_000_u64, 0..400_000_000_u64, proptest::prelude::Just(u64::from(u32::MAX))],
            part_bytes in proptest::prop_oneof![1..100_000_u64, 1..10_000_000_000_u64, proptest::prelude::Just(u64::MAX)],
            probes in proptest::collection::vec(0..=u64::from(u32::MAX), 20),
        ) {
            let plans = plans(blocks, part_bytes);
            proptest::prop_assert!(!plans.is_empty() && plans.len() as u64 <= PARTS_MAX + 10, "{} parts", plans.len());
            let ranges: Vec<(u64, u64)> = plans.iter().map(range).collect();
            // One begins where the last one ended; what is behind the last block, when the table grew, is in the last.
            proptest::prop_assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, u64::MAX));
            for pair in ranges.windows(2) {
                proptest::prop_assert_eq!(pair[0].1, pair[1].0);
                proptest::prop_assert!(pair[0].0 < pair[0].1);
            }
            // Slowly: the parts whose condition a block meets.
            for block in probes.into_iter().chain([0, blocks.saturating_sub(1), blocks, blocks + 1]) {
                let of = ranges.iter().filter(|(from, to)| (*from..*to).contains(&block)).count();
                proptest::prop_assert_eq!(of, 1, "block {}", block);
            }
            let bytes: u64 = plans.iter().map(|plan| plan.bytes_estimate).sum();
            proptest::prop_assert_eq!(bytes, blocks * 8192);
        }
    }

    #[test]
    fn a_comment_at_the_end_of_a_condition_is_closed() {
        assert!(sql(&plans(0, 8192)[0]).contains("WHERE (a > 1 -- one\n)) TO STDOUT"));
    }

    #[test]
    fn csv_is_written_as_the_warehouse_reads_it() {
        assert_eq!(in_sql(&CsvForm::default()), "csv");
        let form =
            CsvForm { null: "~x".into(), row_bytes_max: Some(1), quote_all: true, ..CsvForm::default() };
        assert_eq!(in_sql(&form), "csv, NULL '~x', FORCE_QUOTE *");
    }

    #[test]
    fn a_huge_table_gets_larger_parts() {
        assert!(plans(100_000_000, 8192).len() <= 1_010);
    }
}
