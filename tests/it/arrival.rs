//! Every built-in type, and what people make of them, from the standby into the warehouse: as binary
//! and as CSV, each value compared.

use std::{pin::pin, sync::Arc};

use barncat::{
    compare::{Detail, Look},
    load::{self, Looks},
    pg::{self, Connection, Endpoint, Session, TlsSettings},
    schema::{Abilities, Format, PostgresAbilities, Selection, Shape, ShapedColumn, Wishes, shape},
    secret::Secret,
    source::{
        Extraction, LocalSlots, Snapshot, Source,
        postgres::{Options, PostgresSource},
    },
    sql::{TableName, quote_ident},
};
use futures_util::SinkExt;

use crate::support::{self, variable};

/// A column's type and its values, each an SQL expression that is cast to the type.
type Values = &'static [(&'static str, &'static [&'static str])];

const NUMBERS: Values = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["-32768", "32767"]),
    ("integer", &["'-2147483648'", "2147483647"]),
    ("bigint", &["'-9223372036854775808'", "'9223372036854775807'"]),
    ("real", &["'NaN'", "'-0'", "'Infinity'", "'-Infinity'", "'1.4e-45'", "'3.4028235e38'", "'0.1'"]),
    ("double precision", &["'NaN'", "'-0'", "'-Infinity'", "'5e-324'", "'1.7976931348623157e308'", "'0.1'"]),
    (
        "numeric",
        &["'NaN'", "'Infinity'", "'-Infinity'", "'-0.00'", "'1.10'", "repeat('9', 131072)", "'1e-16383'"],
    ),
    ("numeric(12,2)", &["'NaN'", "-9999999999.99", "0.5"]),
    ("numeric(3,-2)", &["12345"]),
    ("numeric(3,5)", &["0.00123"]),
    ("money", &["'$1,234.56'", "'-92233720368547758.08'", "'92233720368547758.07'", "0"]),
    ("oid", &["'4294967295'"]),
    ("xid", &["'4294967295'"]),
    ("xid8", &["'18446744073709551615'"]),
    ("cid", &["'4294967295'"]),
    ("tid", &["'(4294967295,65535)'"]),
    ("oidvector", &["'1 2 4294967295'", "''"]),
    ("int2vector", &["'1 -2'", "''"]),
];

const TEXTS: Values = &[
    (
        "text",
        &[
            "''",
            "'NULL'",
            r"'\N'",
            r"'\.'",
            r"E'\\.\n\\.'",
            r"E'line\nbreak\r\nand\ttab'",
            "'\"quoted\", and comma'",
            "'🦉 naïve 漢字'",
            r"U&'\FEFFbyte order mark'",
            r"U&'zero\200Bwidth'",
            r"'back\slash\'",
            "'  around  '",
            "','",
            "'\"'",
            "repeat('x', 3000000)",
        ],
    ),
    ("character varying(5)", &["'ab'", "''", "'🦉🦉🦉🦉🦉'"]),
    ("character(5)", &["'ab'", "''"]),
    ("bpchar", &["'ab   '", "''"]),
    ("name", &["'a name'", "''"]),
    ("\"char\"", &["''", "'a'", "'\"'", "(-23)::integer"]),
    ("bytea", &[r"'\x00ff0a0d5c2e22'", "''"]),
    ("bit(3)", &["B'101'"]),
    ("\"bit\"", &["B'10101'"]),
    ("bit varying", &["B''", "B'10101010101'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000000'"]),
    ("json", &[r#"'{"a":  1, "a": [2,"\u0000"]}'"#, "'null'"]),
    (
        "jsonb",
        &[r#"'{"a": 1e400, "b": "\\u0000 \u00e9", "c": {}}'"#, "'null'", "to_jsonb(repeat('y', 2000000))"],
    ),
    ("jsonpath", &["'$.a[*] ? (@ > 1)'", "'strict $'"]),
    (
        "xml",
        &[
            "'<a/>'",
            "''",
            "'a<b/>c'",
            r#"'<?xml version="1.0" encoding="UTF-8"?><a/>'"#,
            "'<?xml version=\"1.0\"?><é/>'",
            r#"'<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'"#,
            "'<!DOCTYPE a><a/>'",
        ],
    ),
    ("tsvector", &["'a:1A fat:2B,4C ''it''''s'':5'", "''"]),
    ("tsquery", &["'fat & (rat | !cat) <-> ''it''''s'':*'", "''"]),
    ("refcursor", &["'a cursor'"]),
];

const TIMES: Values = &[
    ("date", &["'infinity'", "'-infinity'", "'4713-11-24 BC'", "'5874897-12-31'"]),
    ("time", &["'24:00'", "'23:59:59.999999'"]),
    ("time(3)", &["'12:00:00.123'"]),
    ("timetz", &["'23:59:59.999999-15:59:59'", "'00:00+15'"]),
    ("timestamp", &["'infinity'", "'-infinity'", "'4713-11-24 00:00 BC'", "'294276-12-31 23:59:59.999999'"]),
    ("timestamptz", &["'infinity'", "'2024-03-31 02:30 Europe/Berlin'", "'294276-12-31 23:59:59.999999Z'"]),
    ("interval", &["'1 year -2 days +03:04:05.6'", "'-178000000 years'", "'-1 mon +1 day -00:00:01'", "'0'"]),
    ("interval day to second(3)", &["'-3 days 04:05:06.789'"]),
    ("pg_lsn", &["'FFFFFFFF/FFFFFFFF'"]),
    ("pg_snapshot", &["'10:20:10,14,15'"]),
    ("txid_snapshot", &["'10:20:10,14,15'"]),
];

const SHAPES_AND_NETWORKS: Values = &[
    ("inet", &["'::1/64'", "'192.168.0.1/24'", "'10.0.0.1'"]),
    ("cidr", &["'192.168.0.0/24'", "'2001:db8::/32'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("point", &["'(NaN,-Infinity)'", "'(0.1,-0)'"]),
    ("line", &["'{1,-2,0.1}'"]),
    ("lseg", &["'[(0,0.1),(1,2)]'"]),
    ("box", &["'(0,0.1),(1,2)'"]),
    ("path", &["'((0,0),(1,0.1))'", "'[(0,0),(1,1)]'"]),
    ("polygon", &["'((0,0),(1,0.1),(2,2))'"]),
    ("circle", &["'<(0.1,0),3>'"]),
    ("int4range", &["'empty'", "'[1,5)'", "'(,)'"]),
    ("int8range", &["'[1,)'"]),
    ("numrange", &["'(,1.50]'", "'[-Infinity,NaN]'"]),
    ("daterange", &["'[-infinity,infinity]'"]),
    ("tsrange", &["'[2024-01-01,2024-01-02 03:04:05.6)'"]),
    ("tstzrange", &["'[2024-01-01Z,)'"]),
    ("int4multirange", &["'{}'", "'{[1,2),[5,)}'"]),
    ("int8multirange", &["'{[1,2)}'"]),
    ("nummultirange", &["'{[1.10,2.0],(3,Infinity)}'"]),
    ("datemultirange", &["'{[2024-01-01,2024-02-01)}'"]),
    ("tsmultirange", &["'{[2024-01-01,2024-02-01)}'"]),
    ("tstzmultirange", &["'{[2024-01-01Z,2024-02-01Z)}'"]),
];

const ARRAYS: Values = &[
    ("integer[]", &["'{}'", "'{{1,2},{3,NULL}}'", "'[2:3]={1,2}'"]),
    ("text[]", &[r#"'{"NULL",NULL,"","a,b","\"","\\",🦉}'"#]),
    ("character varying(3)[]", &["'{abc,NULL}'"]),
    ("numeric(5,2)[]", &["'{1.10,NaN}'"]),
    ("money[]", &["'{$1.10,NULL}'"]),
    ("bytea[]", &[r#"'{"\\x00ff",NULL}'"#]),
    ("timestamptz[]", &["'{infinity,2024-01-01Z}'"]),
    ("box[]", &["'{(0,0),(1,1);(0,0),(2,2)}'"]),
    ("jsonb[]", &[r#"ARRAY['{"a": "b,c"}'::jsonb, NULL]"#]),
    ("xml[]", &["ARRAY['<?xml version=\"1.0\"?><a b=\"c\"/>'::xml, NULL]"]),
    ("\"char\"[]", &[r#"'{a,"",NULL}'"#]),
    ("oidvector[]", &["ARRAY['1 2'::oidvector]"]),
    ("regclass[]", &["'{pg_class,pg_type}'"]),
];

const OF_THE_DATABASE: Values = &[
    ("regclass", &["'pg_class'"]),
    ("regcollation", &["'\"C\"'"]),
    ("regconfig", &["'simple'"]),
    ("regdictionary", &["'simple'"]),
    ("regnamespace", &["'pg_catalog'"]),
    ("regoper", &["'|/'"]),
    ("regoperator", &["'+(integer,integer)'"]),
    ("regproc", &["'pg_catalog.now'"]),
    ("regprocedure", &["'lower(text)'"]),
    ("regrole", &["'pg_monitor'"]),
    ("regtype", &["'timestamptz'"]),
    ("aclitem", &["makeaclitem(10, 10, 'SELECT', true)"]),
    ("gtsvector", &[]),
    ("pg_node_tree", &["(SELECT ev_action FROM pg_rewrite ORDER BY oid LIMIT 1)"]),
    ("pg_ndistinct", &[]),
    ("pg_dependencies", &[]),
    ("pg_mcv_list", &[]),
    ("pg_brin_bloom_summary", &[]),
    ("pg_brin_minmax_multi_summary", &[]),
];

/// `~` stands for the test's schema.
const MAKE_TYPES: &str = r#"
    CREATE TYPE "an enum" AS ENUM ('it''s', 'NULL', '🦉', 'a,b', '');
    CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > -100);
    CREATE DOMAIN moods AS "an enum"[];
    CREATE DOMAIN numbers AS integer[];
    CREATE DOMAIN cents_again AS cents;
    CREATE TYPE place AS (x integer, "the y" text, m "an enum");
    CREATE TYPE floats AS RANGE (subtype = float8, multirange_type_name = many_floats);
    CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
    CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
    CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
    CREATE DOMAIN pairs AS public.hstore;
"#;

const MADE_BY_HAND: Values = &[
    ("~.\"an enum\"", &["'it''s'", "'NULL'", "'🦉'", "''"]),
    ("~.\"an enum\"[]", &["'[0:1]={\"a,b\",\"NULL\"}'", "'{}'", "'{NULL}'"]),
    ("~.cents", &["1.5"]),
    ("~.cents[]", &["'{1.5,NULL}'"]),
    ("~.cents_again", &["1.5"]),
    ("~.moods", &["'{\"a,b\",NULL}'"]),
    ("~.moods[]", &["ARRAY[ARRAY['NULL'::~.\"an enum\"]::~.moods]"]),
    ("~.numbers", &["'{1,2}'"]),
    ("~.numbers[]", &["ARRAY['{1,2}'::~.numbers, NULL]"]),
    ("~.place", &["ROW(1, 'a \"b\", (c)', 'a,b')", "ROW(NULL, '', NULL)"]),
    ("~.place[]", &["ARRAY[ROW(1, 'a \"b\"', NULL)::~.place, NULL]"]),
    ("~.floats", &["'[0.1,)'", "'empty'"]),
    ("~.floats[]", &["ARRAY['[0.1,)'::~.floats]"]),
    ("~.many_floats", &["'{[0.1,2)}'"]),
    ("public.citext", &["'Straße'", "''"]),
    ("public.hstore", &[r#"'"a"=>"1, 2", "b"=>NULL, ""=>""'"#, "''"]),
    ("public.ltree", &["'a.b.c'"]),
    ("public.ltree[]", &["'{a.b,NULL}'"]),
];

const OF_EXTENSIONS_AS_CSV: Values =
    &[("public.citext[]", &["'{A,NULL}'"]), ("public.hstore[]", &[r#"ARRAY['a=>1'::public.hstore]"#])];
const ARRAY_OF_A_DOMAIN: Values = &[("~.pairs", &["'a=>1'"]), ("~.pairs[]", &["ARRAY['a=>1'::~.pairs]"])];

fn endpoint(name: &str) -> Endpoint {
    Endpoint::parse(&Secret::new(variable(name)), &TlsSettings::default(), std::path::Path::new("."))
        .expect("the servers' addresses are valid")
}

async fn connect(name: &str) -> Connection {
    pg::connect(&endpoint(name), &Session::new("test")).await.expect("the server answers")
}

/// A table with one column a type, filled; NULL in every column of the last row.
fn make_table(name: &str, schema: &str, columns: &[(&str, &[&str])]) -> String {
    let here = |sql: &str| sql.replace('~', schema);
    let definitions: Vec<_> =
        columns.iter().enumerate().map(|(at, (of, _))| format!("c{at} {}", here(of))).collect();
    let mut sql = format!("CREATE TABLE {name} (n integer PRIMARY KEY, {});", definitions.join(", "));
    let most = columns.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    for row in 0..=most {
        let value = |(of, values): &(&str, &[&str])| match values.get(row) {
            Some(value) => format!("({})::{}", here(value), here(of)),
            None => "NULL".to_owned(),
        };
        let values: Vec<_> = columns.iter().map(value).collect();
        sql += &format!("INSERT INTO {name} VALUES ({row}, {});", values.join(", "));
    }
    sql
}

/// Brings a table over in `format` and compares each value as text.
async fn cross(
    schema: &support::Schema,
    table: &str,
    selection: &Selection,
    format: Option<Format>,
) -> Shape {
    let options = Options {
        name: "shop".into(),
        endpoint: endpoint("BARNCAT_REPLICA_URL"),
        allow_primary: false,
        max_lag: None,
        run: "test".into(),
    };
    let source = PostgresSource::new(options, Arc::new(LocalSlots::new(2)));
    let snapshot = source.open_snapshot(barncat::event::Tier::Optional).await.expect("the standby answers");
    let name = TableName::new(schema.name(), table);
    let described = snapshot.describe(&name).await.expect("it is there");
    let selected = selection.apply(&name, &described).expect("the columns are there");
    let warehouse = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let abilities = abilities(&warehouse).await;
    let wishes = Wishes { format, ..Default::default() };
    let shape = shape(&name, &selected.schema, snapshot.server_version(), &abilities, &wishes)
        .expect("the format serves");

    let columns: Vec<_> =
        shape.columns.iter().map(|c| format!("{} {}", quote_ident(&c.name), c.sql_type)).collect();
    let make = format!(
        "CREATE SCHEMA IF NOT EXISTS {0}; DROP TABLE IF EXISTS {0}.{table}; CREATE TABLE {0}.{table} ({1})",
        schema.name(),
        columns.join(", ")
    );
    warehouse.batch_execute(&make).await.expect("the warehouse has these types");
    copy(snapshot.as_ref(), &name, &shape, &warehouse).await;
    compare(&name, &shape, &warehouse).await;
    assert_found_equal(snapshot.as_ref(), &name, &shape).await;
    shape
}

async fn abilities(warehouse: &Connection) -> Abilities {
    let version = warehouse.query_one("SELECT current_setting('server_version_num')::int", &[]).await;
    let version: i32 = version.expect("it answers").get(0);
    let types = [("hstore", "hstore"), ("citext", "citext")];
    Abilities::Postgres(PostgresAbilities {
        version: u32::try_from(version).expect("a version is positive"),
        extension_types: types
            .map(|(extension, name)| ((extension.to_owned(), name.to_owned()), format!("extensions.{name}")))
            .into(),
        sees_snapshots: true,
    })
}

async fn copy(snapshot: &dyn Snapshot, name: &TableName, shape: &Shape, warehouse: &Connection) {
    let extraction = Extraction {
        table: name.clone(),
        columns: shape.columns.iter().map(|column| column.source_name.clone()).collect(),
        expressions: shape.columns.iter().map(|column| column.expression.clone()).collect(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: shape.format,
        csv: shape.csv.clone(),
        counted: 0,
        part_bytes: 1 << 30,
        by_index: false,
    };
    let format = match shape.format {
        Format::Binary => "binary",
        Format::Csv => "csv",
    };
    for part in snapshot.plan_parts(&extraction).await.expect("it has parts") {
        let mut stream = snapshot.read(&part).await.expect("the part can be read");
        let into = format!("COPY {} FROM STDIN (FORMAT {format})", name.quoted());
        let mut sink = pin!(warehouse.copy_in(&into).await.expect("the COPY begins"));
        while let Some(chunk) = stream.next().await.expect("the stream does not break") {
            sink.send(chunk.bytes).await.expect("the warehouse listens");
        }
        if let Err(error) = sink.finish().await {
            panic!("{format}: {error}: {:?}", error.as_db_error());
        }
    }
}

async fn compare(name: &TableName, shape: &Shape, warehouse: &Connection) {
    let replica = connect("BARNCAT_REPLICA_URL").await;
    for column in shape.columns.iter().filter(|column| column.name != "n") {
        // The elements' own output would drop what this is to find.
        let cast = if column.sql_type == "xml[]" { "::text[]::text" } else { "::text" };
        let texts = async |server: &Connection, expression: &str| -> Vec<Option<String>> {
            let sql = format!("SELECT ({expression}){cast} FROM {} ORDER BY n", name.quoted());
            let rows = server.query(&sql, &[]).await.expect("it is there");
            rows.iter().map(|row| row.get(0)).collect()
        };
        let arrived = texts(warehouse, &quote_ident(&column.name)).await;
        let sent = texts(&replica, &column.expression).await;
        assert!(sent == arrived, "{} {}: {sent:?} became {arrived:?}", column.name, column.sql_type);
        if shape.notes.iter().all(|note| !note.starts_with(&format!("column `{}`", column.name))) {
            // What has no note must be the source's own text.
            assert!(texts(&replica, &quote_ident(&column.name)).await == arrived, "{}", column.name);
        }
    }
}

/// A comparison finds no difference in any of the columns.
async fn assert_found_equal(snapshot: &dyn Snapshot, name: &TableName, shape: &Shape) {
    let warehouse = support::warehouse::warehouse_at(&variable("BARNCAT_WAREHOUSE_ADMIN_URL"));
    let look = |expression: fn(&ShapedColumn) -> &String| Look {
        table: name.clone(),
        key: vec!["n".into()],
        row: shape.columns.iter().map(|column| expression(column).clone()).collect(),
        condition: None,
        newer: None,
    };
    let looks =
        Looks { source: look(|column| &column.expression), warehouse: look(|column| &column.arrived) };
    let found =
        load::compare(snapshot, &warehouse, &looks, Detail::Columns, 9).await.expect("both sides answer");
    let differing = shape.columns.iter().zip(&found.differences.differing).filter(|(_, rows)| **rows > 0);
    let differing: Vec<&str> = differing.map(|(column, _)| column.sql_type.as_str()).collect();
    assert!(found.differences.is_none(), "{differing:?} differ in {:?}", found.differences);
    assert!(found.source_rows > 0);
}

async fn make_extensions_of_the_warehouse() {
    let make = "CREATE SCHEMA IF NOT EXISTS extensions;
                CREATE EXTENSION IF NOT EXISTS hstore SCHEMA extensions;
                CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions";
    support::connect("BARNCAT_WAREHOUSE_ADMIN_URL")
        .await
        .batch_execute(make)
        .await
        .expect("they can be made");
}

#[tokio::test]
async fn every_type_arrives_unchanged() {
    make_extensions_of_the_warehouse().await;
    let schema = support::Schema::on_standby(MAKE_TYPES).await;
    let built_in = [NUMBERS, TEXTS, TIMES, SHAPES_AND_NETWORKS, ARRAYS, OF_THE_DATABASE].concat();
    let all = [built_in.as_slice(), MADE_BY_HAND, ARRAY_OF_A_DOMAIN, OF_EXTENSIONS_AS_CSV].concat();
    let csv_only = [
        OF_EXTENSIONS_AS_CSV.iter().map(|(of, _)| *of).collect::<Vec<_>>(),
        vec!["xml", "xml[]", "tsquery", "oidvector", "oidvector[]", "int2vector"],
    ]
    .concat();
    let binary: Vec<_> = all.iter().filter(|(of, _)| !csv_only.contains(of)).copied().collect();
    schema.run_on_primary(&make_table("all_types", schema.name(), &all)).await;
    schema.run_on_primary(&make_table("binary_types", schema.name(), &binary)).await;

    let everything = Selection::default();
    assert_eq!(cross(&schema, "all_types", &everything, None).await.format, Format::Csv);
    assert_eq!(cross(&schema, "binary_types", &everything, None).await.format, Format::Binary);
    cross(&schema, "binary_types", &everything, Some(Format::Csv)).await;
}

#[tokio::test]
async fn a_hashed_column_arrives_as_the_sha256_of_its_text() {
    let table = "CREATE TABLE people (n integer PRIMARY KEY, email text, born date, secret text);
                 INSERT INTO people VALUES (1, 'abc', '2000-02-29', 'x'), (2, NULL, NULL, NULL);";
    let schema = support::Schema::on_standby(table).await;
    let selection = Selection {
        hash: vec!["email".to_owned(), "born".to_owned()],
        exclude: vec!["secret".to_owned()],
        ..Default::default()
    };
    let shape = cross(&schema, "people", &selection, None).await;
    assert_eq!(shape.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["n", "email", "born"]);
    let warehouse = support::connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let read = format!("SELECT email, born FROM {}.people ORDER BY n", schema.name());
    let rows = warehouse.query(&read, &[]).await.expect("it is there");
    let hash_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(rows[0].get::<_, &str>(0), hash_of_abc);
    assert_eq!(rows[0].get::<_, &str>(1).len(), 64);
    assert_eq!(rows[1].get::<_, Option<&str>>(0), None);
}

#[tokio::test]
async fn no_built_in_type_of_this_server_is_left_out() {
    let tried: Vec<_> = [NUMBERS, TEXTS, TIMES, SHAPES_AND_NETWORKS, OF_THE_DATABASE]
        .concat()
        .iter()
        .map(|(of, _)| of.split('(').next().unwrap_or(of).split(" day").next().unwrap_or(of).to_owned())
        .collect();
    let all = "SELECT format_type(t.oid, -1) FROM pg_type t
        WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typrelid = 0 AND t.typtype <> 'p'
          AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)";
    let admin = support::connect("BARNCAT_PRIMARY_ADMIN_URL").await;
    let names: Vec<String> =
        admin.query(all, &[]).await.expect("it answers").iter().map(|row| row.get(0)).collect();
    let short = |name: &str| match name {
        "time without time zone" => "time".to_owned(),
        "time with time zone" => "timetz".to_owned(),
        "timestamp without time zone" => "timestamp".to_owned(),
        "timestamp with time zone" => "timestamptz".to_owned(),
        name => name.to_owned(),
    };
    let missing: Vec<_> = names.iter().filter(|name| !tried.contains(&short(name))).collect();
    assert!(missing.is_empty(), "without a value in this file: {missing:?}");
}
