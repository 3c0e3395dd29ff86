//! A project on real servers, and what the binary tells of it.

use std::{fs, path::Path};

use super::{secrets, written};
use crate::support::{Schema, project::Project, variable, warehouse::Database};

pub(super) struct Scene {
    project: Project,
}

impl Scene {
    /// Makes `sql` on the primary, and a project whose only loader has `rows` below `[tables]`.
    pub(super) async fn new(sql: &str, rows: &str) -> Self {
        Self { project: Project::new(sql, &format!("\n[tables]\n{rows}")).await }
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.project.source
    }

    pub(super) fn database(&self) -> &Database {
        &self.project.database
    }

    pub(super) fn path(&self) -> &Path {
        self.project.dir()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        self.project.write(file, text);
    }

    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).expect("the file is there")
    }

    /// The binary, not started yet.
    pub(super) fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.project.command(arguments)
    }

    /// Runs the binary; with the servers' addresses, unless `variables` says otherwise.
    pub(super) async fn told_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let text = written(self.project.barncat(arguments, variables).await);
        for secret in secrets() {
            assert!(!text.contains(&secret), "a secret was told by {arguments:?}");
        }
        // What differs from test to test.
        let (replica, warehouse) = (variable("BARNCAT_REPLICA_URL"), self.database().url());
        let text = text.replace(place(&warehouse), "WAREHOUSE").replace(place(&replica), "REPLICA");
        let (_, database) = warehouse.rsplit_once('/').expect("an address ends in its database's name");
        text.replace(self.schema().name(), "SCHEMA").replace(database, "DATABASE")
    }

    pub(super) async fn told(&self, arguments: &[&str]) -> String {
        self.told_with(arguments, &[]).await
    }

    /// The address of a role on the standby that may read the scene's schema and no other.
    pub(super) async fn own_role(&self) -> String {
        let name = self.schema().name();
        let sql = format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {name} TO {name};
             GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {name}"
        );
        self.schema().run_on_primary(&sql).await;
        format!("postgres://{name}:hunter2@{}", place(&variable("BARNCAT_REPLICA_URL")))
    }

    pub(super) async fn json(&self, arguments: &[&str]) -> (serde_json::Value, i32) {
        self.json_with(arguments, &[]).await
    }

    /// What it writes as JSON, and its exit status.
    pub(super) async fn json_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (serde_json::Value, i32) {
        let text = self.told_with(&[arguments, &["--output", "json"]].concat(), variables).await;
        let (status, rest) = text.split_once("\n--- stdout\n").expect("status and output");
        let (stdout, _) = rest.split_once("--- stderr\n").expect("both outputs");
        let status = status.trim_start_matches("exit status: ").parse().expect("no signal ended it");
        (serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {text}")), status)
    }
}

/// `host:port/database` of an address.
pub(super) fn place(url: &str) -> &str {
    url.rsplit_once('@').expect("an address names its role").1
}
