//! What no documentation says of Redshift. barncat stays clear of all of it, and the double takes the harsher
//! possibility: this test holds it to that. `make redshift-live` asks a real cluster the same, and shows
//! where it does otherwise.

use crate::support::{cluster::Cluster, redshift::OnRedshift};

/// A question, and what is assumed.
struct Probe {
    about: &'static str,
    ask: Ask,
    assumed: &'static str,
}

/// How it is asked.
enum Ask {
    /// COPY of this file into a table of these columns; the answer is what the table holds then, its text
    /// columns in brackets.
    Copy { columns: &'static str, options: &'static str, file: &'static [u8] },
    /// COPY of this file by a manifest that gives it so many bytes too many.
    LongerByManifest { file: &'static [u8], bytes: i64 },
    /// COPY of a value of so many bytes.
    Long { columns: &'static str, bytes: usize, quote: &'static str },
    /// Statements, each a batch of its own but for the last ones, which are one. `{t}` is a table of
    /// `id bigint, note varchar(10)` with the row `1, a`.
    Batch { first: &'static [&'static str], last: &'static [&'static str] },
}

/// The assumption that something is an error.
const REFUSED: &str = "refused";

const fn copy(
    about: &'static str,
    columns: &'static str,
    file: &'static [u8],
    assumed: &'static str,
) -> Probe {
    Probe { about, ask: Ask::Copy { columns, options: "", file }, assumed }
}

const PROBES: &[Probe] = &[
    Probe {
        about: "a field \"S\" in quotes, where NULL AS 'S'",
        ask: Ask::Copy {
            columns: "id bigint, note varchar(10)",
            options: "NULL AS 'S'",
            file: b"1,\"S\"\n2,S\n",
        },
        assumed: "1|NULL 2|NULL",
    },
    Probe {
        about: "a field \\N, where NULL AS '\\\\N'",
        ask: Ask::Copy {
            columns: "id bigint, note varchar(10)",
            options: "NULL AS '\\\\N'",
            file: b"1,\\N\n",
        },
        assumed: "1|NULL",
    },
    copy("lines that end in CR LF", "id bigint, note varchar(10)", b"1,a\r\n2,b\r\n", "1|a 2|b"),
    copy("lines that end in CR alone", "id bigint, note varchar(10)", b"1,a\r2,b\r", REFUSED),
    copy("a NUL in a text", "id bigint, note varchar(10)", b"1,a\0b\n", REFUSED),
    copy("an empty line, where there is one column", "note varchar(10)", b"a\n\nb\n", REFUSED),
    copy("NaN as DOUBLE PRECISION", "x double precision", b"NaN\n", REFUSED),
    copy("Infinity as DOUBLE PRECISION", "x double precision", b"Infinity\n", REFUSED),
    copy("NaN as DECIMAL", "x decimal(12,2)", b"NaN\n", REFUSED),
    copy("the date infinity", "x date", b"infinity\n", REFUSED),
    copy("a date before Christ", "x date", b"0044-03-15 BC\n", REFUSED),
    copy("a date in the year 10000", "x date", b"10000-01-01\n", REFUSED),
    copy("a timestamp with T", "x timestamp", b"2026-01-01T12:00:00\n", REFUSED),
    copy("seven digits of a second", "x timestamp", b"2026-01-01 12:00:00.1234567\n", REFUSED),
    copy("TIME", "x time", b"12:00:00\n", REFUSED),
    copy("TIMETZ", "x timetz", b"12:00:00+00\n", REFUSED),
    Probe {
        about: "a text of 65,536 bytes in VARCHAR(65535)",
        ask: Ask::Long { columns: "x varchar(65535)", bytes: 65_536, quote: "" },
        assumed: REFUSED,
    },
    Probe {
        about: "a SUPER of more than 1 MB",
        ask: Ask::Long { columns: "x super", bytes: 1_200_000, quote: "array" },
        assumed: REFUSED,
    },
    Probe {
        about: "a manifest whose content_length is not the file's",
        ask: Ask::LongerByManifest { file: b"1\n", bytes: 1 },
        assumed: REFUSED,
    },
    Probe {
        about: "BEGIN in a batch that is a transaction",
        ask: Ask::Batch { first: &[], last: &["BEGIN", "DELETE FROM {t}", "COMMIT"] },
        assumed: REFUSED,
    },
    Probe {
        about: "ALTER SORTKEY in a transaction",
        ask: Ask::Batch { first: &[], last: &["DELETE FROM {t}", "ALTER TABLE {t} ALTER SORTKEY (id)"] },
        assumed: REFUSED,
    },
    Probe {
        about: "ALTER DISTSTYLE in a transaction",
        ask: Ask::Batch { first: &[], last: &["DELETE FROM {t}", "ALTER TABLE {t} ALTER DISTSTYLE ALL"] },
        assumed: REFUSED,
    },
    Probe {
        about: "MERGE from a query",
        ask: Ask::Batch {
            first: &[],
            last: &[
                "MERGE INTO {t} USING (SELECT 1 AS id) s ON {t}.id = s.id WHEN MATCHED THEN UPDATE SET note = 'b' WHEN NOT MATCHED THEN INSERT VALUES (2, 'c')",
            ],
        },
        assumed: REFUSED,
    },
    Probe {
        about: "what an error in a batch leaves of the statements before it",
        ask: Ask::Batch { first: &[], last: &["UPDATE {t} SET note = 'b'", "SELECT 1 / (id - 1) FROM {t}"] },
        assumed: REFUSED,
    },
    Probe {
        about: "a key that is not unique",
        ask: Ask::Batch {
            first: &["INSERT INTO {t} VALUES (1, 'b')"],
            last: &["SELECT count(*)::varchar FROM {t}"],
        },
        assumed: "2",
    },
    Probe {
        about: "blanks at the end, where two texts are compared",
        ask: Ask::Batch {
            first: &["INSERT INTO {t} VALUES (2, 'a ')"],
            last: &["SELECT count(*)::varchar FROM {t} WHERE note = 'a'"],
        },
        assumed: "2",
    },
    Probe {
        about: "a row locked and renamed in one batch",
        ask: Ask::Batch {
            first: &["CREATE TABLE {t}_new (id bigint, note varchar(10))"],
            last: &[
                "LOCK {t}",
                "ALTER TABLE {t} RENAME TO {n}_old",
                "ALTER TABLE {t}_new RENAME TO {n}",
                "SELECT count(*)::varchar FROM {t}",
            ],
        },
        assumed: "0",
    },
];

/// What differs from the assumptions, and all answers as lines.
async fn differences(cluster: &Cluster, schema: &str) -> (usize, Vec<String>) {
    let mut different = 0;
    let mut lines = Vec::new();
    for (number, probe) in PROBES.iter().enumerate() {
        let answer = answer(cluster, schema, number, &probe.ask).await;
        let said = answer.as_ref().map_or(REFUSED, String::as_str);
        let mark = if said == probe.assumed { "as assumed" } else { "DIFFERS   " };
        different += usize::from(said != probe.assumed);
        let shown =
            answer.unwrap_or_else(|error| format!("{REFUSED}: {}", error.lines().next().unwrap_or_default()));
        lines.push(format!("{mark}  {}: {shown} (assumed: {})", probe.about, probe.assumed));
    }
    (different, lines)
}

async fn answer(cluster: &Cluster, schema: &str, number: usize, ask: &Ask) -> Result<String, String> {
    let name = format!("probe_{number}");
    let table = format!("{schema}.{name}");
    let with = |sql: &str| sql.replace("{t}", &table).replace("{n}", &name);
    let copy = |what: &str, options: &str| {
        format!("COPY {table} FROM '{what}' IAM_ROLE '{}' {options}", cluster.place.copy_role)
    };
    let region = cluster.place.stage.access.region.as_ref();
    let region = region.map_or_else(String::new, |region| format!("REGION '{region}'"));
    match ask {
        Ask::Copy { columns, options, file } => {
            let url = cluster.put(&format!("{name}.csv"), file).await;
            made(cluster, &table, columns).await;
            cluster.batch(&[copy(&url, &format!("{region} FORMAT AS CSV {options}"))]).await?;
            held(cluster, &table).await
        }
        Ask::Long { columns, bytes, quote } => {
            let text = "x".repeat(*bytes);
            // A SUPER's strings are short; it is the whole that is long.
            let many = format!("\"[{}1]\"\n", "1234567,".repeat(bytes / 8));
            let file = if quote.is_empty() { format!("{text}\n") } else { many };
            let url = cluster.put(&format!("{name}.csv"), file.as_bytes()).await;
            made(cluster, &table, columns).await;
            cluster.batch(&[copy(&url, &format!("{region} FORMAT AS CSV"))]).await?;
            Ok("taken".to_owned())
        }
        Ask::LongerByManifest { file, bytes } => {
            let url = cluster.put(&format!("{name}.csv"), file).await;
            let length = i64::try_from(file.len()).expect("it is short") + bytes;
            let manifest = serde_json::json!({
                "entries": [{ "url": url, "mandatory": true, "meta": { "content_length": length } }]
            });
            let manifest = cluster.put(&format!("{name}.json"), manifest.to_string().as_bytes()).await;
            made(cluster, &table, "id bigint").await;
            cluster.batch(&[copy(&manifest, &format!("MANIFEST {region} FORMAT AS CSV"))]).await?;
            held(cluster, &table).await
        }
        Ask::Batch { first, last } => {
            made(cluster, &table, "id bigint primary key, note varchar(10)").await;
            cluster.batch(&[format!("INSERT INTO {table} VALUES (1, 'a')")]).await.expect("a row is written");
            for sql in *first {
                cluster.batch(&[with(sql)]).await.map_err(|error| format!("before it: {error}"))?;
            }
            let last: Vec<String> = last.iter().map(|sql| with(sql)).collect();
            cluster.batch(&last).await.map(|rows| rows.join(" "))
        }
    }
}

async fn made(cluster: &Cluster, table: &str, columns: &str) {
    let made = cluster.batch(&[format!("CREATE TABLE {table} ({columns})")]).await;
    made.unwrap_or_else(|error| panic!("{table}: {error}"));
}

async fn held(cluster: &Cluster, table: &str) -> Result<String, String> {
    cluster.batch(&[format!("SELECT * FROM {table} ORDER BY 1")]).await.map(|rows| rows.join(" "))
}

/// Asks everything, in a schema that is gone afterwards.
async fn ask_all(cluster: &Cluster) -> (usize, Vec<String>) {
    let schema = format!("barncat_probes_{}", ulid::Ulid::generate().to_string().to_lowercase());
    cluster.batch(&[format!("CREATE SCHEMA {schema}")]).await.expect("a schema can be made");
    let found = differences(cluster, &schema).await;
    cluster.batch(&[format!("DROP SCHEMA {schema} CASCADE")]).await.expect("the schema goes");
    let files = (0..PROBES.len()).flat_map(|n| [format!("probe_{n}.csv"), format!("probe_{n}.json")]);
    cluster.delete(&files.collect::<Vec<_>>()).await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_is_as_harsh_as_redshift_may_be() {
    let on = OnRedshift::new("CREATE TABLE none (id int)", "[tables]\nnone = \"full\"\n").await;
    let (different, lines) = ask_all(&on.cluster().await).await;
    eprintln!("{}", lines.join("\n"));
    assert_eq!(different, 0);
}

/// Prints what a cluster of the user's does: `make redshift-live`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: make redshift-live"]
async fn a_cluster_is_asked_what_nobody_could_confirm() {
    let cluster = Cluster::new(super::live::place()).await;
    let (different, lines) = ask_all(&cluster).await;
    eprintln!("{}\n{different} of {} differ", lines.join("\n"), lines.len());
}
