//! Which schemas of the warehouse a mode writes to. In test mode none of them may be the project's own, and
//! no two of the project's may become one: that is looked at here, before a warehouse is opened.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mode, RunError, reach};
use crate::{
    config::{Environment, Project, WarehousePlace},
    sql::Dialect,
};

/// Which schemas of the warehouse a mode writes to.
#[derive(Debug, Clone)]
pub(super) struct Schemas {
    mode: Mode,
    test_schema: String,
    dialect: Dialect,
    /// Those that the project's files name.
    own: BTreeSet<String>,
}

/// What is wrong with `test_schema`.
#[derive(Debug, thiserror::Error)]
pub enum TestSchemaError {
    /// It leads to where production writes.
    #[error("test mode would write `{schema}` into `{test}`, which is a schema of the project itself")]
    Own {
        /// The project's schema.
        schema: String,
        /// What `test_schema` makes of it.
        test: String,
    },
    /// It leads to where barncat keeps its books.
    #[error("test mode would write `{schema}` into `{test}`, which is a schema of barncat's own")]
    Books {
        /// The project's schema.
        schema: String,
        /// What `test_schema` makes of it.
        test: String,
    },
    /// It makes one of two.
    #[error("test mode would write `{one}` and `{other}` both into `{test}`")]
    Two {
        /// A schema.
        one: String,
        /// Another one.
        other: String,
        /// What `test_schema` makes of both.
        test: String,
    },
    /// The warehouse would cut it.
    #[error("test mode would write `{schema}` into `{test}`, and the warehouse takes {most} bytes of a name")]
    Long {
        /// The project's schema.
        schema: String,
        /// What `test_schema` makes of it.
        test: String,
        /// How long a name may be.
        most: usize,
    },
}

impl Schemas {
    pub(super) fn of(project: &Project, environment: &Environment, mode: Mode) -> Result<Self, RunError> {
        let dialect = match &project.warehouse.place {
            WarehousePlace::Postgres { .. } => Dialect::Postgres,
            WarehousePlace::Redshift(_) => Dialect::Redshift,
        };
        let named = std::iter::once(&project.warehouse.schema)
            .chain(project.loaders.iter().map(|loader| &loader.into))
            .chain(project.models.iter().map(|model| &model.target.schema));
        let own = named.map(|schema| folded(schema, dialect)).collect();
        let test_schema = project.warehouse.test_schema.resolve(environment)?.expose().to_owned();
        let schemas = Self { mode, test_schema: folded(&test_schema, dialect), dialect, own };
        if mode == Mode::Test {
            schemas.check()?;
        }
        Ok(schemas)
    }

    /// The warehouse's schema for one of the project's.
    pub(super) fn name(&self, schema: &str) -> String {
        match self.mode {
            Mode::Production => schema.to_owned(),
            Mode::Test => self.test_schema.replace("{schema}", &folded(schema, self.dialect)),
        }
    }

    /// Whether a run of this mode may write there: in test mode what `test_schema` makes of a schema, also
    /// of one that the project no longer has.
    pub(super) fn may_write(&self, schema: &str) -> bool {
        if self.mode == Mode::Production {
            return true;
        }
        let schema = folded(schema, self.dialect);
        let of_former = || {
            let (before, after) = self.test_schema.split_once("{schema}")?;
            let former = schema.strip_prefix(before)?.strip_suffix(after)?;
            Some(!former.is_empty() && !self.own.contains(&schema) && !is_of_books(&schema))
        };
        self.own.iter().any(|own| self.name(own) == schema) || of_former().unwrap_or(false)
    }

    fn check(&self) -> Result<(), TestSchemaError> {
        let most = self.dialect.name_bytes_max();
        let mut of: BTreeMap<String, String> = BTreeMap::new();
        for schema in &self.own {
            let (schema, test) = (schema.clone(), self.name(schema));
            if test.len() > most {
                return Err(TestSchemaError::Long { schema, test, most });
            }
            if self.own.contains(&test) {
                return Err(TestSchemaError::Own { schema, test });
            }
            if is_of_books(&test) {
                return Err(TestSchemaError::Books { schema, test });
            }
            if let Some(one) = of.insert(test.clone(), schema.clone()) {
                return Err(TestSchemaError::Two { one, other: schema, test });
            }
        }
        Ok(())
    }
}

/// Redshift knows no capitals.
fn folded(schema: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Postgres => schema.to_owned(),
        Dialect::Redshift => schema.to_lowercase(),
    }
}

/// Ledger, staging tables, control database: of either mode.
fn is_of_books(schema: &str) -> bool {
    [Mode::Production, Mode::Test].into_iter().any(|mode| {
        [reach::ledger_schema(mode), reach::staging_schema(mode), reach::control_schema(mode)]
            .iter()
            .any(|name| name == schema)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas(test_schema: &str, own: &[&str], dialect: Dialect) -> Schemas {
        let own = own.iter().map(|schema| folded(schema, dialect)).collect();
        Schemas { mode: Mode::Test, test_schema: folded(test_schema, dialect), dialect, own }
    }

    fn told(test_schema: &str, own: &[&str]) -> String {
        let checked = schemas(test_schema, own, Dialect::Postgres).check();
        checked.err().map_or("fits".to_owned(), |error| error.to_string())
    }

    #[test]
    fn a_test_schema_is_nobody_elses() {
        assert_eq!(told("{schema}_test", &["raw", "marts"]), "fits");
        assert_eq!(told("scratch", &["raw"]), "fits");
        let into = "which is a schema of the project itself";
        assert_eq!(told("{schema}", &["raw"]), format!("test mode would write `raw` into `raw`, {into}"));
        let found = told("{schema}_b", &["a", "a_b"]);
        assert_eq!(found, format!("test mode would write `a` into `a_b`, {into}"));
        assert_eq!(told("scratch", &["a", "b"]), "test mode would write `a` and `b` both into `scratch`");
        assert!(told("barncat", &["a"]).ends_with("which is a schema of barncat's own"));
        assert!(told("{schema}_control", &["barncat"]).ends_with("which is a schema of barncat's own"));
        let long = "a".repeat(60);
        assert!(told("{schema}_test", &[&long]).ends_with("takes 63 bytes of a name"));
    }

    #[test]
    fn redshift_knows_no_capitals() {
        let schemas = schemas("{schema}_TEST", &["Raw", "raw_test"], Dialect::Redshift);
        assert!(matches!(schemas.check(), Err(TestSchemaError::Own { .. })));
    }

    #[test]
    fn a_test_run_writes_into_test_schemas_alone() {
        let schemas = schemas("{schema}_test", &["raw", "marts"], Dialect::Postgres);
        for (schema, may) in [
            ("raw_test", true),
            ("former_test", true),
            ("raw", false),
            ("_test", false),
            ("barncat_test", false),
            ("public", false),
        ] {
            assert_eq!(schemas.may_write(schema), may, "{schema}");
        }
        let one = Schemas { test_schema: "scratch".to_owned(), ..schemas };
        assert!(one.may_write("scratch") && !one.may_write("raw"));
        let production = Schemas { mode: Mode::Production, ..one };
        assert!(production.may_write("raw"));
    }
}
