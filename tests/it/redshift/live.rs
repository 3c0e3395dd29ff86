//! A project's life on Redshift by the command line alone, and so on a cluster of the user's as on the double:
//! `make redshift-live`.

use barncat::aws::{Access, Patience, S3Access};

use crate::support::{
    cluster::{Cluster, Place},
    project::{INTO, Project, on_primary},
    redshift::{OnRedshift, Way},
    variable,
};

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(12,2), note text, at timestamptz DEFAULT now() - interval '3 hours');
    INSERT INTO orders SELECT n, n / 8.0, (ARRAY[NULL, '', 'a, \"b\"', E'two\\nlines', 'Zoë – 数'])[1 + n % 5] FROM generate_series(1, 2000) n;
    CREATE TABLE events (id bigint PRIMARY KEY, kind text, payload jsonb);
    INSERT INTO events SELECT n, 'k' || n % 7, jsonb_build_object('n', n, 'tags', jsonb_build_array('a', n % 3)) FROM generate_series(1, 2000) n;
    CREATE TABLE kinds (id int PRIMARY KEY, a smallint, b boolean, c real, d double precision, e date, f timestamp, g uuid, h varchar(20),
        i char(3), j bytea, k time, l interval, m inet, n text[], o money, p numeric(38,4), q json);
    INSERT INTO kinds VALUES (1, -7, true, 1.5, 0.1, '2026-02-28', '2026-02-28 23:59:59.999999', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        'twenty', 'EUR', '\\xdeadbeef', '12:34:56.789', '1 day 2 hours', '10.0.0.1/8', '{a,\"b c\",NULL}', 12.34, 1234567890123456789012345678901234.5678, '{\"a\": [1, 2]}'),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);";

const LOADERS: &str = "[tables]\norders = { strategy = \"merge\", cursor = \"at\", deletes = \"detect\" }\n\
                       events = { strategy = \"append\", cursor = \"id\" }\nkinds = \"full\"\n";

const CHANGE: &str = "
    UPDATE orders SET total = 1, at = now() WHERE id < 10; DELETE FROM orders WHERE id = 11; INSERT INTO orders VALUES (3000, 2, 'new', now());
    INSERT INTO events VALUES (3000, 'new', '{}'); UPDATE kinds SET a = 1";

/// Every command that asks Redshift for something must end well.
async fn lives(project: &Project) {
    project.run(&[]).await;
    ends_well(project, &["verify"]).await;
    on_primary(project, CHANGE).await;
    project.run(&[]).await;
    ends_well(project, &["verify"]).await;
    on_primary(project, "ALTER TABLE kinds ADD COLUMN r int DEFAULT 5").await;
    project.run(&[]).await;
    for arguments in [
        &["verify"][..],
        &["plan"],
        &["status"],
        &["history", "orders"],
        &["backfill", "events", "--from", "1", "--to", "100"],
        &["verify"],
        &["clean"],
    ] {
        ends_well(project, arguments).await;
    }
}

async fn ends_well(project: &Project, arguments: &[&str]) {
    let output = project.barncat(arguments, &[]).await;
    let text = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&text));
}

/// What an observer that shares nothing with barncat sees: sums, counts, the one row that went and came.
async fn looks_right(cluster: &Cluster, schema: &str) {
    let of = |sql: &str| vec![sql.replace("{s}", schema)];
    let orders =
        "SELECT count(*)::varchar, sum(total)::varchar, sum(CASE WHEN note = '' THEN 1 ELSE 0 END)::varchar,
        sum(CASE WHEN note IS NULL THEN 1 ELSE 0 END)::varchar FROM \"{s}\".orders WHERE id <> 11";
    let events = "SELECT count(*)::varchar, sum(id)::varchar FROM \"{s}\".events";
    let kinds = "SELECT count(*)::varchar, sum(a)::varchar, sum(r)::varchar FROM \"{s}\".kinds";
    let gone = "SELECT count(*)::varchar FROM \"{s}\".orders WHERE id = 11";
    // n / 8 in cents, of 1 to 2000: 250,130.00; less 5.65 and 1.38 of 1..9 and 11, and 9 times 1, and 2.
    assert_eq!(cluster.batch(&of(orders)).await, Ok(vec!["2000|250133.97|399|400".to_owned()]));
    assert_eq!(cluster.batch(&of(events)).await, Ok(vec!["2001|2004000".to_owned()]));
    assert_eq!(cluster.batch(&of(kinds)).await, Ok(vec!["2|2|10".to_owned()]));
    assert_eq!(cluster.batch(&of(gone)).await, Ok(vec!["0".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_lives_on_the_double() {
    for way in [Way::DataApi, Way::Wire] {
        let on = OnRedshift::by(way, SOURCE, LOADERS).await;
        lives(&on.project).await;
        looks_right(&on.cluster().await, INTO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: make redshift-live"]
async fn a_project_lives_on_a_cluster() {
    let cluster = Cluster::new(place()).await;
    let ledger = "SELECT count(*)::varchar FROM pg_namespace WHERE nspname = 'barncat'".to_owned();
    let others = cluster.batch(&[ledger]).await.expect("the cluster answers");
    assert_eq!(
        others,
        ["0"],
        "the database has a schema barncat, which would be dropped: make one for this test alone"
    );
    let name = format!("barncat_live_{}", ulid::Ulid::generate().to_string().to_lowercase());
    let (stage, variables) = (stage(&cluster.place), credentials());
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let project = Project::with_stage(SOURCE, "", &stage, &variables).await;
    project.write("barncat.toml", &configuration(&cluster.place, &stage, &name));
    let head = format!("source = \"shop\"\nschema = \"{}\"\ninto = \"{name}\"\n", project.source.name());
    project.write("loaders/shop.toml", &format!("{head}{LOADERS}"));
    lives(&project).await;
    looks_right(&cluster, &name).await;
    for schema in [name.as_str(), "barncat"] {
        cluster.batch(&[format!("DROP SCHEMA {schema} CASCADE")]).await.expect("the schema goes");
    }
}

/// The user's cluster, by variables that `make redshift-live` explains.
pub(super) fn place() -> Place {
    let optional = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let stage = variable("REDSHIFT_LIVE_STAGE");
    let (bucket, prefix) =
        stage.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).expect("s3://bucket/folder");
    let region = optional("REDSHIFT_LIVE_STAGE_REGION");
    Place {
        cluster: optional("REDSHIFT_LIVE_CLUSTER"),
        workgroup: optional("REDSHIFT_LIVE_WORKGROUP"),
        db_user: optional("REDSHIFT_LIVE_DB_USER"),
        database: variable("REDSHIFT_LIVE_DATABASE"),
        region: optional("REDSHIFT_LIVE_REGION"),
        endpoint: None,
        copy_role: variable("REDSHIFT_LIVE_COPY_ROLE"),
        bucket: bucket.to_owned(),
        prefix: prefix.trim_end_matches('/').to_owned(),
        stage: S3Access {
            access: Access { endpoint: None, region, patience: Patience::default() },
            path_style: false,
        },
    }
}

fn stage(place: &Place) -> String {
    let region = place.stage.access.region.as_ref();
    let region = region.map_or_else(String::new, |region| format!("\nregion = \"{region}\""));
    format!("url = \"s3://{}/{}\"{region}", place.bucket, place.prefix)
}

/// Whatever the AWS tools read, for the built binary, which has no variables but its project's.
fn credentials() -> Vec<(String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name == "HOME").collect()
}

fn configuration(place: &Place, stage: &str, schema: &str) -> String {
    let keys = [
        ("cluster", &place.cluster),
        ("workgroup", &place.workgroup),
        ("db_user", &place.db_user),
        ("region", &place.region),
    ];
    let keys = keys.iter().filter_map(|(key, value)| Some(format!("{key} = \"{}\"\n", value.as_ref()?)));
    let keys: String = keys.collect();
    format!(
        "[project]\nname = \"live\"\n\n[sources.shop]\nkind = \"postgres\"\nurl = \"${{SHOP_URL}}\"\n\n\
         [stage]\n{stage}\n\n[control]\nurl = \"${{WAREHOUSE_URL}}\"\n\n\
         [warehouse]\nkind = \"redshift\"\n{keys}database = \"{}\"\ncopy_role = \"{}\"\nschema = \"{schema}\"\n",
        place.database, place.copy_role
    )
}
