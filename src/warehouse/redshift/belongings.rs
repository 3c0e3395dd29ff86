//! What belongs to a table and is given to the one that takes its place: grants and comments. Given before
//! the swap, to a table that nobody knows yet.

use std::collections::BTreeMap;

use super::{
    Cluster, RedshiftError,
    data_api::STATEMENTS_MAX,
    dialect::{self, folded, ident, literal},
    transport::{Answer, Batch},
};
use crate::{fail_point, sql::TableName};

/// A privilege and who has it.
pub(super) struct Grant {
    pub(super) privilege: String,
    /// As GRANT writes it: a user, `GROUP g`, `ROLE r`, `PUBLIC`.
    pub(super) to: String,
}

impl Cluster {
    /// Gives `staging` what belongs to `live`; to the first table of its name what the project grants.
    pub(super) async fn carry(
        &self,
        staging: &TableName,
        live: Option<&TableName>,
        granted: &BTreeMap<String, Vec<String>>,
        load: &str,
    ) -> Result<(), RedshiftError> {
        let to = dialect::table(staging);
        let mut statements = Vec::new();
        match live {
            Some(live) => {
                for grant in self.grants(live).await? {
                    statements.push(format!("GRANT {} ON {to} TO {}", grant.privilege, grant.to));
                }
                statements.extend(self.comments(live, &to).await?);
            }
            None => {
                for (privilege, roles) in granted {
                    for role in roles {
                        statements.push(format!(
                            "GRANT {} ON {to} TO {}",
                            privilege.to_uppercase(),
                            ident(role)
                        ));
                    }
                }
            }
        }
        for some in statements.chunks(STATEMENTS_MAX) {
            let doing = format!("give {staging} its grants and comments");
            let batch =
                Batch { statements: some.to_vec(), ..Batch::new(doing, format!("{load} belongings")) };
            fail_point!("publish.belongings.before");
            self.transport.run(batch).await?;
            fail_point!("publish.belongings.after");
        }
        Ok(())
    }

    /// Who else may do what with a table.
    pub(super) async fn grants(&self, table: &TableName) -> Result<Vec<Grant>, RedshiftError> {
        let batch = Batch::new(format!("look at the grants on {table}"), "catalog");
        let [answer] = self.ask(batch.then(grants_sql(&[table]))).await?;
        Ok(grants_of(answer).into_iter().map(|(_, grant)| grant).collect())
    }

    async fn comments(&self, table: &TableName, to: &str) -> Result<Vec<String>, RedshiftError> {
        let batch = Batch::new(format!("look at the comments on {table}"), "catalog");
        let [answer] = self.ask(batch.then(comments_sql(&[table]))).await?;
        let comment = |(_, column, text): Comment| dialect::comment("TABLE", to, column.as_deref(), &text);
        Ok(comments_of(answer).into_iter().map(comment).collect())
    }
}

/// A condition: a schema and a name that are one of these.
pub(super) fn among(schema: &str, name: &str, of: &[&TableName]) -> String {
    let is = |one: &&TableName| {
        format!("({schema} = {} AND {name} = {})", literal(&folded(&one.schema)), literal(&folded(&one.name)))
    };
    of.iter().map(is).collect::<Vec<_>>().join(" OR ")
}

/// Who else may do what with tables or views.
pub(super) fn grants_sql(of: &[&TableName]) -> String {
    format!(
        "SELECT namespace_name::varchar, relation_name::varchar, privilege_type::varchar, identity_type::varchar,
             identity_name::varchar
         FROM svv_relation_privileges
         WHERE ({}) AND identity_name <> current_user ORDER BY 1, 2, 3, 4, 5",
        among("namespace_name", "relation_name", of)
    )
}

/// What it answers, in its order.
pub(super) fn grants_of(answer: Answer) -> Vec<(TableName, Grant)> {
    let grant = |row: Vec<Option<String>>| {
        let [Some(schema), Some(table), Some(privilege), Some(kind), name] = row.as_slice() else {
            return None;
        };
        let name = name.as_deref().unwrap_or_default();
        let to = match kind.to_lowercase().as_str() {
            "public" => "PUBLIC".to_owned(),
            "group" => format!("GROUP {}", ident(name)),
            "role" => format!("ROLE {}", ident(name)),
            _ => ident(name),
        };
        Some((TableName::new(schema, table), Grant { privilege: privilege.to_uppercase(), to }))
    };
    answer.rows.into_iter().filter_map(grant).collect()
}

/// A relation, perhaps one of its columns, and what is said of it.
type Comment = (TableName, Option<String>, String);

/// What is said of tables or views, and of their columns.
pub(super) fn comments_sql(of: &[&TableName]) -> String {
    format!(
        "SELECT n.nspname::varchar, c.relname::varchar, a.attname::varchar, d.description::varchar
         FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
         WHERE ({}) ORDER BY 1, 2, d.objsubid",
        among("n.nspname", "c.relname", of)
    )
}

/// What it answers, in its order.
pub(super) fn comments_of(answer: Answer) -> Vec<Comment> {
    let comment = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(schema), Some(name), column, Some(text)] => {
            Some((TableName::new(schema, name), column.clone(), text.clone()))
        }
        _ => None,
    };
    answer.rows.into_iter().filter_map(comment).collect()
}
