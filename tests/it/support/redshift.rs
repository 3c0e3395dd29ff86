//! A project whose warehouse is the double of Redshift, by either way, with its stage in an S3 server.

use redshift_double::{Double, Settings};

use super::{
    cluster::{Cluster, Place},
    connect, connect_to,
    project::{INTO, Project},
    s3::{BUCKET, S3Server},
    variable,
    warehouse::Database,
};

/// The role by which COPY reads the stage.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/copy";

/// By which way the project reaches the double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    DataApi,
    Wire,
}

impl Way {
    /// The keys of `[warehouse]` that say so.
    fn keys(self) -> &'static str {
        match self {
            Self::DataApi => {
                "workgroup = \"double\"\ndatabase = \"dev\"\nregion = \"us-east-1\"\n\
                 endpoint = \"${REDSHIFT_ENDPOINT}\"\n"
            }
            Self::Wire => {
                "transport = \"wire\"\nurl = \"${REDSHIFT_URL}\"\n\
                 tls = { mode = \"verify-full\", ca = \"redshift.pem\" }\n"
            }
        }
    }
}

/// A double before a database, with COPY from a server.
pub(crate) async fn double_before(behind: &Database, s3: &S3Server) -> Double {
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let settings = Settings::new(behind.admin_url()).bucket(BUCKET, "eu-west-2").role(ROLE);
    let settings = Settings {
        record_into: std::env::var_os("BARNCAT_RECORD_INTO").map(Into::into),
        ..settings.s3(&s3.endpoint(), &id, &secret)
    };
    Double::start(settings).await.expect("the double starts")
}

/// The project, the double and the servers behind them; all of it ends with the test.
pub(crate) struct OnRedshift {
    pub(crate) project: Project,
    pub(crate) double: Double,
    pub(crate) s3: S3Server,
    pub(crate) control: Database,
}

impl OnRedshift {
    /// Starts everything, with the Data API.
    pub(crate) async fn new(source_sql: &str, loaders: &str) -> Self {
        Self::by(Way::DataApi, source_sql, loaders).await
    }

    /// Starts everything. The project's database is the one behind the double, so that a test of a Postgres
    /// warehouse can look into it as into its own.
    pub(crate) async fn by(way: Way, source_sql: &str, loaders: &str) -> Self {
        let s3 = S3Server::start().await;
        let behind = Database::empty().await;
        let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
        let double = double_before(&behind, &s3).await;
        let stage = format!(
            "url = \"s3://{BUCKET}/stage\"\nendpoint = \"{}\"\nregion = \"eu-west-2\"\npath_style = true\nkeep = {{ loads = 9, days = 9 }}",
            s3.endpoint()
        );
        let (endpoint, url) = (double.url(), double.wire_url());
        let variables = [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("REDSHIFT_ENDPOINT", &endpoint),
            ("REDSHIFT_URL", &url),
        ];
        let mut project = Project::with_stage(source_sql, loaders, &stage, &variables).await;
        project.write("redshift.pem", double.authority());
        project.write(
            "barncat.toml",
            &format!(
                "[project]\nname = \"tests\"\n\n[sources.shop]\nkind = \"postgres\"\nurl = \"${{SHOP_URL}}\"\n\n\
                 [stage]\n{stage}\n\n[control]\nurl = \"${{WAREHOUSE_URL}}\"\n\n\
                 [warehouse]\nkind = \"redshift\"\n{}copy_role = \"{ROLE}\"\nschema = \"{INTO}\"\n",
                way.keys()
            ),
        );
        let control = std::mem::replace(&mut project.database, behind);
        Self { project, double, s3, control }
    }

    /// The double, as anybody reaches it.
    pub(crate) async fn cluster(&self) -> Cluster {
        Cluster::new(Place {
            cluster: None,
            workgroup: Some("double".to_owned()),
            db_user: None,
            database: "dev".to_owned(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.double.url()),
            copy_role: ROLE.to_owned(),
            bucket: BUCKET.to_owned(),
            prefix: "probes".to_owned(),
            stage: self.s3.access(),
        })
        .await
    }

    /// A query of the database behind the double: its only value.
    pub(crate) async fn text(&self, sql: &str) -> String {
        self.project.database.text(sql).await
    }

    /// Fails unless a query over the table, written `{t}`, gives the same in source and warehouse.
    pub(crate) async fn assert_same(&self, table: &str, query: &str) {
        let source = connect("BARNCAT_REPLICA_ADMIN_URL").await;
        let warehouse = connect_to(&self.project.database.admin_url()).await;
        let mut found = Vec::new();
        for (client, schema) in [(&source, self.project.source.name()), (&warehouse, INTO)] {
            let sql = query.replace("{t}", &format!("{schema}.{table}"));
            let rows = client.query(&sql, &[]).await.expect("the query is valid on both");
            found.push(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>());
        }
        assert_eq!(found[0], found[1], "{table} differs between source and warehouse");
    }
}
