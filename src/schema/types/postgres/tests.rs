use super::*;
use crate::schema::testing::{array, builtin, composite, domain, extension, mood, other, range};

const PG15: u32 = 150_018;

fn abilities(version: u32) -> PostgresAbilities {
    let extension_types =
        [(("hstore", "hstore"), "public.hstore"), (("postgis", "geometry"), "gis.geometry")];
    PostgresAbilities {
        version,
        extension_types: extension_types
            .map(|((extension, name), sql)| ((extension.to_owned(), name.to_owned()), sql.to_owned()))
            .into(),
        sees_snapshots: true,
    }
}

/// `expression over "c" → type, binary or csv`.
fn crossing(column_type: &ColumnType, source_version: u32, version: u32) -> String {
    let arrival = arrival(column_type, source_version, &abilities(version));
    let format = if arrival.binary { "binary" } else { "csv" };
    format!("{} → {}, {format}", arrival.expression.sql("c"), arrival.sql_type)
}

fn here(column_type: &ColumnType) -> String {
    crossing(column_type, PG15, PG15)
}

/// `SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0 AND
/// typtype <> 'p' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid)` on 15.18.
const ALL_OF_15: &str = "aclitem bit bool box bpchar bytea char cid cidr circle date datemultirange \
    daterange float4 float8 gtsvector inet int2 int2vector int4 int4multirange int4range int8 \
    int8multirange int8range interval json jsonb jsonpath line lseg macaddr macaddr8 money name \
    numeric nummultirange numrange oid oidvector path pg_brin_bloom_summary \
    pg_brin_minmax_multi_summary pg_dependencies pg_lsn pg_mcv_list pg_ndistinct pg_node_tree \
    pg_snapshot point polygon refcursor regclass regcollation regconfig regdictionary regnamespace \
    regoper regoperator regproc regprocedure regrole regtype text tid time timestamp timestamptz \
    timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot uuid varbit \
    varchar xid xid8 xml";

const AS_TEXT: &str = "aclitem gtsvector pg_brin_bloom_summary pg_brin_minmax_multi_summary \
    pg_dependencies pg_mcv_list pg_ndistinct pg_node_tree regclass regcollation regconfig \
    regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype";

#[test]
fn no_built_in_type_is_forgotten() {
    for name in ALL_OF_15.split_whitespace() {
        let expected = match name {
            "money" => r#""c"::numeric → numeric, binary"#.to_owned(),
            "xml" => r#""c"::text → xml, csv"#.to_owned(),
            "oidvector" | "int2vector" | "tsquery" => format!(r#""c" → {name}, csv"#),
            name if AS_TEXT.split_whitespace().any(|as_text| as_text == name) => {
                r#""c"::text → text, binary"#.to_owned()
            }
            name => format!(r#""c" → {name}, binary"#),
        };
        assert_eq!(here(&builtin(name, name)), expected);
    }
}

#[test]
fn arrays_of_built_in_types_go_as_their_elements() {
    assert_eq!(here(&array(builtin("numeric", "numeric(12,2)"))), r#""c" → numeric(12,2)[], binary"#);
    assert_eq!(here(&array(builtin("money", "money"))), r#""c"::numeric[] → numeric[], binary"#);
    assert_eq!(here(&array(builtin("xml", "xml"))), r#""c"::text[] → xml[], csv"#);
    assert_eq!(here(&array(builtin("regclass", "regclass"))), r#""c"::text[] → text[], binary"#);
}

#[test]
fn the_columns_own_sql_keeps_the_modifier_of_an_array() {
    let bare = |of: ColumnType, sql: &str| ColumnType { sql: sql.to_owned(), ..array(of) };
    assert_eq!(
        here(&bare(builtin("varchar", "character varying"), "character varying(10)[]")),
        r#""c" → character varying(10)[], binary"#
    );
    assert_eq!(
        here(&bare(extension("postgis", "geometry", "geometry"), "public.geometry(Point,4326)[]")),
        r#""c" → gis.geometry(Point,4326)[], csv"#
    );
}

#[test]
fn what_the_warehouse_lacks_becomes_text_and_domains_their_base() {
    let cents = || domain("public.cents", builtin("numeric", "numeric(12,2)"));
    assert_eq!(here(&mood(&["a"])), r#""c" → text, binary"#);
    assert_eq!(here(&array(mood(&["a"]))), r#""c"::text[] → text[], binary"#);
    assert_eq!(here(&cents()), r#""c" → numeric(12,2), binary"#);
    assert_eq!(here(&array(cents())), r#""c"::numeric(12,2)[] → numeric(12,2)[], binary"#);
    assert_eq!(here(&domain("d", array(mood(&["a"])))), r#""c"::text[] → text[], binary"#);
    assert_eq!(here(&array(domain("d", array(mood(&["a"]))))), r#""c"::text[] → text[], binary"#);
    for own in [composite(), range(), other()] {
        assert_eq!(here(&own), r#""c"::text → text, binary"#);
        assert_eq!(here(&array(own)), r#""c"::text[] → text[], binary"#);
    }
    assert_eq!(here(&builtin("of_the_future", "of_the_future")), r#""c"::text → text, binary"#);
}

#[test]
fn extension_types_stay_where_the_extension_is() {
    let hstore = || extension("hstore", "hstore", "ext.hstore");
    assert_eq!(here(&hstore()), r#""c" → public.hstore, binary"#);
    assert_eq!(here(&array(hstore())), r#""c" → public.hstore[], csv"#);
    assert_eq!(here(&array(domain("d", hstore()))), r#""c"::text[] → text[], binary"#);
    let point = extension("postgis", "geometry", "public.geometry(Point,4326)");
    assert_eq!(here(&point), r#""c" → gis.geometry(Point,4326), csv"#);
    let ltree = || extension("ltree", "ltree", "public.ltree");
    assert_eq!(here(&ltree()), r#""c"::text → text, binary"#);
    assert_eq!(here(&array(ltree())), r#""c"::text[] → text[], binary"#);
}

#[test]
fn binary_leaves_out_what_changed_between_versions() {
    let numeric = builtin("numeric", "numeric");
    assert_eq!(crossing(&numeric, PG15, 130_023), r#""c" → numeric, csv"#);
    assert_eq!(crossing(&numeric, 130_023, PG15), r#""c" → numeric, binary"#);
    assert_eq!(crossing(&builtin("interval", "interval"), 170_000, PG15), r#""c" → interval, csv"#);
    assert_eq!(crossing(&builtin("jsonpath", "jsonpath"), 140_000, PG15), r#""c" → jsonpath, csv"#);
    assert_eq!(crossing(&builtin("char", "\"char\""), 160_000, PG15), r#""c"::text → text, binary"#);
    assert_eq!(
        crossing(&builtin("int4multirange", "int4multirange"), PG15, 130_000),
        r#""c"::text → text, binary"#
    );
}

#[test]
fn a_scale_that_the_warehouse_does_not_know_is_dropped() {
    for (sql, there) in
        [("numeric(3,-2)", "numeric"), ("numeric(3,5)", "numeric"), ("numeric(5,3)", "numeric(5,3)")]
    {
        assert_eq!(arrival(&builtin("numeric", sql), PG15, &abilities(140_000)).sql_type, there);
        assert_eq!(arrival(&builtin("numeric", sql), PG15, &abilities(PG15)).sql_type, sql);
    }
}

#[test]
fn only_another_type_has_a_note() {
    let note = |of: &ColumnType| arrival(of, PG15, &abilities(PG15)).note;
    assert_eq!(note(&builtin("text", "text")), None);
    assert_eq!(note(&builtin("xml", "xml")), None);
    assert_eq!(note(&array(mood(&["a"]))).as_deref(), Some("public.mood is an enum"));
    assert!(note(&builtin("money", "money")).is_some_and(|note| note.contains("lc_monetary")));
}

#[test]
fn a_modifier_is_found_outside_of_quotes() {
    assert_eq!(modifier("numeric(12,2)[]"), "(12,2)");
    assert_eq!(modifier("\"we(i)rd\".geometry(Point,4326)"), "(Point,4326)");
    assert_eq!(modifier("\"we(i)rd\""), "");
    assert_eq!(modifier("text"), "");
}

#[test]
fn a_hashed_column_leaves_the_source_as_a_hash_alone() {
    let of = Box::new(builtin("text", "text"));
    let hashed = ColumnType { sql: "sha256(text)".to_owned(), kind: TypeKind::Hashed { of } };
    assert_eq!(
        here(&hashed),
        "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(\"c\"::text, 'UTF8')), 'hex') → text, binary"
    );
}
