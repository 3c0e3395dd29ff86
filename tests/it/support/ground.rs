//! Where a test of a warehouse runs: on Postgres, and on Redshift's double by either way.

use std::{ops::Deref, path::PathBuf};

use super::{
    project::Project,
    redshift::{OnRedshift, Way},
    warehouse::Database,
};

/// A kind of warehouse, and how it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Postgres,
    DataApi,
    Wire,
}

/// Makes a test of each function, which takes the ground, on one ground.
macro_rules! tests_on {
    ($module:ident $ground:ident: $($name:ident),* $(,)?) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::ground::Ground::$ground).await;
                }
            )*
        }
    };
}
pub(crate) use tests_on;

/// The same for tests that take minutes: `scripts/test.sh --run-ignored only -E 'test(by_wire)'`.
macro_rules! long_tests_on {
    ($module:ident $ground:ident: $($name:ident),* $(,)?) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "takes minutes"]
                async fn $name() {
                    super::$name($crate::support::ground::Ground::$ground).await;
                }
            )*
        }
    };
}
pub(crate) use long_tests_on;

/// Makes a test of each function on each ground.
macro_rules! on_each_ground {
    ($($name:ident),* $(,)?) => {
        $crate::support::ground::tests_on!(on_postgres Postgres: $($name),*);
        $crate::support::ground::tests_on!(by_data_api DataApi: $($name),*);
        $crate::support::ground::tests_on!(by_wire Wire: $($name),*);
    };
}
pub(crate) use on_each_ground;

impl Ground {
    /// The way to the double; `None`: it is Postgres.
    pub(crate) fn way(self) -> Option<Way> {
        match self {
            Self::Postgres => None,
            Self::DataApi => Some(Way::DataApi),
            Self::Wire => Some(Way::Wire),
        }
    }

    pub(crate) fn is_redshift(self) -> bool {
        self.way().is_some()
    }
}

/// A project on one of the grounds. Its database is the warehouse, or the one behind the double.
pub(crate) enum Scene {
    Postgres(Box<Project>),
    Redshift(Box<OnRedshift>),
}

impl Scene {
    pub(crate) async fn on(ground: Ground, source_sql: &str, loaders: &str) -> Self {
        match ground.way() {
            None => Self::Postgres(Box::new(Project::new(source_sql, loaders).await)),
            Some(way) => Self::Redshift(Box::new(OnRedshift::by(way, source_sql, loaders).await)),
        }
    }

    /// The control database.
    pub(crate) fn control(&self) -> &Database {
        match self {
            Self::Postgres(project) => &project.database,
            Self::Redshift(on) => &on.control,
        }
    }

    /// What lies in the stage.
    pub(crate) fn staged(&self) -> Vec<PathBuf> {
        match self {
            Self::Postgres(project) => project.staged(),
            Self::Redshift(on) => on.s3.objects(),
        }
    }

    /// A session that may do anything with the warehouse's tables, as barncat's own role may.
    pub(crate) async fn run_as_owner(&self, sql: &str) {
        let client = match self {
            Self::Postgres(project) => project.database.connect_as_publisher().await,
            Self::Redshift(on) => on.project.database.connect().await,
        };
        client.batch_execute(sql).await.expect("the test's SQL is valid");
    }

    /// The tables that loads have left: staging tables, tables swapped away, lists of keys.
    pub(crate) async fn tables_of_loads(&self) -> Vec<String> {
        let sql = match self {
            Self::Postgres(_) => {
                "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('barncat_staging')
                     OR ((relname ~ '^0' OR relname ~ 'old') AND relnamespace <> 'barncat_control'::regnamespace)"
            }
            Self::Redshift(_) => "SELECT relname::text FROM pg_class WHERE relname ~ '__barncat_'",
        };
        self.database.texts(sql).await
    }
}

impl Deref for Scene {
    type Target = Project;

    fn deref(&self) -> &Project {
        match self {
            Self::Postgres(project) => project,
            Self::Redshift(on) => &on.project,
        }
    }
}
