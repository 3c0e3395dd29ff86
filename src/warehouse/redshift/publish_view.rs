//! A view that is published: without schema binding, so that it finds whatever has its tables' names, replaced
//! in one batch with the ledger's row.

use super::{Cluster, RedshiftError, dialect, publish, select};
use crate::{
    sql::{TableName, quote_ident},
    warehouse::{Descriptions, Publication, PublishKind, Published, Select},
};

/// Publishes it.
pub(super) async fn publish(
    cluster: &Cluster,
    select: &Select,
    publication: &Publication,
) -> Result<Published, RedshiftError> {
    cluster.ensure_schema(&publication.ledger.table.schema).await?;
    publish::until_known(cluster, publication, publish::What::View(select)).await
}

/// One try.
pub(super) async fn once(
    cluster: &Cluster,
    select: &Select,
    publication: &Publication,
) -> Result<Published, RedshiftError> {
    let row = &publication.ledger;
    let view = dialect::table(&row.table);
    let before = cluster.columns(&row.table).await?;
    let mut batch = publish::begin(cluster, publication, None, &[]);
    // In place it can only be replaced by one with the same columns ("CREATE VIEW" in the Developer Guide).
    let is_same = !before.is_empty() && before == cluster.columns_of(select).await?;
    let is_new = before.is_empty();
    if !is_same && !is_new {
        batch = batch.then(format!("DROP VIEW {view}"));
    }
    let create = if is_same { "CREATE OR REPLACE VIEW" } else { "CREATE VIEW" };
    batch = batch.then(format!("{create} {view} AS {}\nWITH NO SCHEMA BINDING", select.sql));
    if is_new {
        for (privilege, roles) in &publication.grants {
            let grants =
                roles.iter().map(|role| format!("GRANT {privilege} ON {view} TO {}", quote_ident(role)));
            batch.statements.extend(grants);
        }
    } else if !is_same {
        let kept = cluster.grants(&row.table).await?;
        batch
            .statements
            .extend(kept.iter().map(|grant| format!("GRANT {} ON {view} TO {}", grant.privilege, grant.to)));
    }
    // It has no comments on its columns.
    let (of_view, _) = publication.descriptions.clone().apart();
    batch.statements.extend(comments(&row.table, "VIEW", &of_view));
    let kind = PublishKind::Replace;
    batch = batch.then(cluster.write(row, kind, None));
    let answers = cluster.transport.run(publish::end(cluster, batch, &row.load)).await;
    let answers = answers.map_err(|error| select::of(select, error))?;
    Ok(Published { at: publish::published_at(&answers)?, kind, written: None, warnings: Vec::new() })
}

/// The statements that describe a relation and its columns.
pub(super) fn comments(table: &TableName, kind: &str, descriptions: &Descriptions) -> Vec<String> {
    let name = dialect::table(table);
    let of_table = descriptions.table.iter();
    let of_table = of_table.map(|text| format!("COMMENT ON {kind} {name} IS {}", dialect::literal(text)));
    let of_columns = descriptions.columns.iter().map(|(column, text)| {
        format!("COMMENT ON COLUMN {name}.{} IS {}", dialect::ident(column), dialect::literal(text))
    });
    of_table.chain(of_columns).collect()
}
