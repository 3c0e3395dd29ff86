//! A primary and a standby of one test's own, for what would hurt the others' servers.

use std::{path::PathBuf, process::Command};

use tokio_postgres::Client;

use super::{connect_to, replayed};

/// Both servers. They go with it.
pub(crate) struct Replica {
    folder: tempfile::TempDir,
    env: String,
}

impl Replica {
    /// Starts them.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let mut replica = Self { folder, env: String::new() };
        replica.servers(&["up", "--only", "primary,standby"]).await;
        replica.env = std::fs::read_to_string(replica.dir().join("env")).expect("the script has written it");
        replica
    }

    /// One command of `scripts/servers.sh`.
    pub(crate) async fn servers(&self, arguments: &[&str]) {
        let mut command = script(arguments);
        command.arg("--dir").arg(self.dir());
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
        let output = output.expect("bash is here");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("servers")
    }

    /// An address of its `env`: `BARNCAT_REPLICA_URL` and its like.
    pub(crate) fn url(&self, name: &str) -> &str {
        let mut lines = self.env.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value).expect("the script knows it")
    }

    /// A superuser's connection to the primary.
    pub(crate) async fn primary(&self) -> Client {
        connect_to(self.url("BARNCAT_PRIMARY_ADMIN_URL")).await
    }

    /// A superuser's connection to the standby.
    pub(crate) async fn standby(&self) -> Client {
        connect_to(self.url("BARNCAT_REPLICA_ADMIN_URL")).await
    }

    /// Statements on the primary, each by itself. Does not wait for the standby.
    pub(crate) async fn write(&self, statements: &[&str]) {
        let primary = self.primary().await;
        for sql in statements {
            primary.batch_execute(sql).await.expect("the test's SQL is valid");
        }
    }

    /// Sets settings of the standby: `name = value`.
    pub(crate) async fn set_on_standby(&self, settings: &[&str]) {
        let standby = self.standby().await;
        for setting in settings {
            let sql = format!("ALTER SYSTEM SET {setting}");
            standby.batch_execute(&sql).await.expect("the setting is valid");
        }
        standby.batch_execute("SELECT pg_reload_conf()").await.expect("it may");
    }

    /// Waits until the standby has replayed everything. Can be given up.
    pub(crate) async fn catch_up(&self) {
        let (primary, standby) = (self.primary().await, self.standby().await);
        replayed(&primary, &standby).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = script(&["down"]).arg("--dir").arg(self.dir()).output();
    }
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers.sh")).args(arguments);
    command
}
