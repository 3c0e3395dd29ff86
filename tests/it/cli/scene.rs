//! A project of one test's own, on real servers: a schema of the standby, a database of the
//! warehouse (with the control database in it), a folder as stage.

use std::{fs, path::Path};

use super::{barncat, written};
use crate::support::{Schema, variable, warehouse::Database};

pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) schema: Schema,
    pub(super) database: Database,
}

const PROJECT: &str = "[project]
name = \"scene\"

[sources.shop]
kind = \"postgres\"
url = \"${SHOP_REPLICA_URL}\"

[stage]
url = \"file:./stage\"

[warehouse]
kind = \"postgres\"
url = \"${WAREHOUSE_URL}\"
";

impl Scene {
    /// Makes `sql` on the primary, and a project whose only loader has `rows` below `[tables]`.
    pub(super) async fn new(sql: &str, rows: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let schema = Schema::on_standby(sql).await;
        let scene = Self { folder, schema, database: Database::new().await };
        scene.write("barncat.toml", PROJECT);
        scene.write("loaders/shop.toml", &format!("{}\n[tables]\n{rows}", scene.loader()));
        scene
    }

    /// The head of a file in `loaders/` for the schema.
    pub(super) fn loader(&self) -> String {
        format!("source = \"shop\"\nschema = \"{}\"\ninto = \"raw\"\n", self.schema.name())
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        write(self.path(), file, text);
    }

    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).expect("the file is there")
    }

    /// Runs the binary; with the servers' addresses, unless `variables` says otherwise.
    pub(super) fn told_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let (replica, warehouse) = (variable("BARNCAT_REPLICA_URL"), self.database.url());
        let mut all = vec![("SHOP_REPLICA_URL", replica.as_str()), ("WAREHOUSE_URL", warehouse.as_str())];
        all.extend(variables);
        let output = barncat(self.path(), arguments, &all).output().expect("the built binary starts");
        let text = written(output);
        for secret in ["SOURCE", "WAREHOUSE", "CONTROL", "ADMIN"] {
            let secret = variable(&format!("BARNCAT_{secret}_PASSWORD"));
            assert!(
                !text.contains(&secret) && !text.contains("hunter2"),
                "a secret was told by {arguments:?}"
            );
        }
        // What differs from test to test.
        let text =
            text.replace(&place(&self.database.url()), "WAREHOUSE").replace(&place(&replica), "REPLICA");
        text.replace(self.schema.name(), "SCHEMA")
    }

    pub(super) fn told(&self, arguments: &[&str]) -> String {
        self.told_with(arguments, &[])
    }

    /// The address of a role on the standby that may read the scene's schema and no other.
    pub(super) async fn own_role(&self) -> String {
        let name = self.schema.name();
        let sql = format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {name} TO {name};
             GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {name}"
        );
        self.schema.run_on_primary(&sql).await;
        format!("postgres://{name}:hunter2@{}", place(&variable("BARNCAT_REPLICA_URL")))
    }

    pub(super) fn json(&self, arguments: &[&str]) -> (serde_json::Value, i32) {
        self.json_with(arguments, &[])
    }

    /// What it writes as JSON, and its exit status.
    pub(super) fn json_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> (serde_json::Value, i32) {
        let text = self.told_with(&[arguments, &["--output", "json"]].concat(), variables);
        let (status, rest) = text.split_once("\n--- stdout\n").expect("status and output");
        let (stdout, _) = rest.split_once("--- stderr\n").expect("both outputs");
        let status = status.trim_start_matches("exit status: ").parse().expect("no signal ended it");
        (serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {text}")), status)
    }
}

pub(super) fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder is made");
    fs::write(path, text).expect("a file is written");
}

/// `host:port/database` of an address.
fn place(url: &str) -> String {
    url.rsplit_once('@').expect("an address names its role").1.to_owned()
}
