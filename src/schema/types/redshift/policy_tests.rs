//! Names and policies, as a loader asks for them.

use crate::{
    error::Fault,
    schema::{
        Abilities, Column, Format, LookKind, Shape, ShapeError, TableSchema, UnfitKind, UnfitPolicies,
        UnfitPolicy, Wishes, shape,
        testing::{builtin, column, table},
    },
    sql::TableName,
};

fn shaped(schema: &TableSchema, wishes: &Wishes) -> Result<Shape, ShapeError> {
    shape(&TableName::new("public", "orders"), schema, 150_000, &Abilities::Redshift, wishes)
}

fn message(schema: &TableSchema, wishes: &Wishes) -> String {
    shaped(schema, wishes).expect_err("it does not fit").to_string()
}

fn wishing(all: UnfitPolicy, columns: &[(&str, UnfitPolicy)]) -> Wishes {
    let columns = columns.iter().map(|(name, policy)| ((*name).to_owned(), *policy)).collect();
    Wishes { unfit: UnfitPolicies { all, columns }, ..Default::default() }
}

fn orders() -> TableSchema {
    let mut orders = table(
        &["Code"],
        vec![
            column(1, "Code", builtin("text", "text")),
            column(2, "id", builtin("int8", "bigint")),
            column(3, "total", builtin("numeric", "numeric")),
            column(4, "at", builtin("date", "date")),
            column(5, "doc", builtin("jsonb", "jsonb")),
        ],
    );
    orders.columns[0].nullable = false;
    orders.columns[3].nullable = false;
    orders
}

#[test]
fn names_are_folded_and_the_source_is_asked_by_its_own() {
    let shape = shaped(&orders(), &Wishes::default()).expect("it fits");
    assert_eq!(shape.columns[0].name, "code");
    assert_eq!(shape.columns[0].source_name, "Code");
    assert!(shape.columns[0].expression.contains("\"Code\""));
    assert_eq!(shape.key, ["code"]);
    assert_eq!(shape.format, Format::Csv);
    assert_eq!(shape.csv.row_bytes_max, Some(4_194_304));
}

#[test]
fn names_that_redshift_cannot_keep_are_refused() {
    let named = |names: &[&str]| {
        let columns: Vec<Column> =
            names.iter().map(|name| column(1, name, builtin("int8", "bigint"))).collect();
        message(&table(&[], columns), &Wishes::default())
    };
    assert!(
        named(&["Straße", "x", "STRAßE"]).starts_with("the columns `Straße` and `STRAßE` of the source's")
    );
    assert!(named(&[&"ä".repeat(64)]).ends_with("has 128 bytes; Redshift keeps 127"));
    assert!(named(&["OID"]).contains("a name that Redshift uses itself"));
}

#[test]
fn a_table_without_columns_is_refused() {
    let told = message(&table(&[], Vec::new()), &Wishes::default());
    assert_eq!(told, "the source's table public.orders has no columns, and Redshift knows no such table");
}

#[test]
fn binary_is_refused() {
    let wishes = Wishes { format: Some(Format::Binary), ..Default::default() };
    assert!(message(&orders(), &wishes).ends_with("cannot be loaded as binary: Redshift reads CSV"));
}

/// `column kind → policy` of each kind of value that does not fit.
fn unfit(wishes: &Wishes) -> Vec<String> {
    let shape = shaped(&orders(), wishes).expect("it fits");
    shape.unfit.iter().map(|unfit| format!("{} {:?} {}", unfit.column, unfit.kind, unfit.policy)).collect()
}

#[test]
fn a_policy_of_the_table_holds_where_it_can() {
    let so = |policies: [&str; 6]| {
        let kinds = [
            "Code TooLong { bytes_max: 65535 }",
            "total Nan",
            "total TooLarge",
            "total TooFine { decimals: 18 }",
            "at FarDate",
            "doc LongString",
        ];
        kinds.iter().zip(policies).map(|(kind, policy)| format!("{kind} {policy}")).collect::<Vec<_>>()
    };
    assert_eq!(unfit(&Wishes::default()), so(["fail"; 6]));
    // A key stays as it is, and what is never NULL does not become it.
    assert_eq!(unfit(&wishing(UnfitPolicy::Null, &[])), so(["fail", "null", "null", "null", "fail", "null"]));
    // Nothing is near to NaN.
    assert_eq!(
        unfit(&wishing(UnfitPolicy::Clamp, &[])),
        so(["fail", "fail", "clamp", "clamp", "clamp", "fail"])
    );
    assert_eq!(
        unfit(&wishing(UnfitPolicy::Null, &[("total", UnfitPolicy::Clamp), ("at", UnfitPolicy::Clamp)])),
        so(["fail", "fail", "clamp", "clamp", "clamp", "null"])
    );
}

#[test]
fn a_column_as_text_holds_all_but_what_is_too_long() {
    let shape = shaped(&orders(), &wishing(UnfitPolicy::Text, &[])).expect("it fits");
    let types: Vec<&str> = shape.columns.iter().map(|column| column.sql_type.as_str()).collect();
    assert_eq!(types, ["varchar(65535)", "bigint", "varchar(65535)", "varchar(65535)", "varchar(65535)"]);
    assert!(shape.unfit.iter().all(|unfit| matches!(unfit.kind, UnfitKind::TooLong { .. })));
    assert!(shape.notes.iter().any(|note| note.contains("the loader asks for text")));
}

#[test]
fn the_numbers_by_which_the_source_counts_are_the_places_of_the_kinds() {
    let by_column = wishing(UnfitPolicy::Null, &[("at", UnfitPolicy::Clamp)]);
    let mut orders = orders();
    orders.key.clear();
    orders.columns[0].nullable = true;
    let shape = shaped(&orders, &by_column).expect("it fits");
    for (number, unfit) in shape.unfit.iter().enumerate() {
        let setting = format!("'barncat.unfit_{number}'");
        let of: Vec<&str> = shape
            .columns
            .iter()
            .filter(|column| column.expression.contains(&setting))
            .map(|column| column.source_name.as_str())
            .collect();
        assert_eq!(of, [unfit.column.as_str()]);
    }
    assert!(shape.columns.iter().all(|column| !column.compared.contains("barncat.unfit")));
    assert_eq!(shape.csv.looks, []);
}

#[test]
fn what_fails_a_load_is_looked_for_where_rows_are_read() {
    let mut orders = orders();
    for (name, of, sql) in [("fee", "numeric", "numeric(9,2)"), ("lat", "float8", "double precision")] {
        orders.columns.push(column(9, name, builtin(of, sql)));
    }
    let shape = shaped(&orders, &Wishes::default()).expect("it fits");
    let looks: Vec<(usize, LookKind, usize)> =
        shape.csv.looks.iter().map(|look| (look.place, look.kind, look.number)).collect();
    assert_eq!(
        looks,
        [
            (0, LookKind::LongText, 0),
            (4, LookKind::LongJsonString, 5),
            (5, LookKind::Nan, 6),
            (6, LookKind::Nan, 7),
            (6, LookKind::Infinity, 8),
        ]
    );
    let asked: Vec<&str> = shape.columns.iter().map(|column| column.expression.as_str()).collect();
    assert_eq!([asked[0], asked[4], asked[5], asked[6]], ["\"Code\"", "\"doc\"", "\"fee\"", "\"lat\""]);
    // A number whose decimals may have to be written otherwise has a CASE of its own.
    assert!(asked[2].starts_with("CASE WHEN NOT (\"total\" > "));
}

#[test]
fn a_policy_that_a_column_cannot_have_is_refused_with_those_that_it_can() {
    let refused = |name: &str, policy| {
        let error = shaped(&orders(), &wishing(UnfitPolicy::Fail, &[(name, policy)])).expect_err("refused");
        (error.to_string().split("public.orders, which ").nth(1).map(str::to_owned), error.hint())
    };
    let (what, _) = refused("total", UnfitPolicy::Truncate);
    assert_eq!(what.as_deref(), Some("is numeric: it can have `fail`, `null`, `clamp`, `text`"));
    let (what, _) = refused("at", UnfitPolicy::Null);
    assert_eq!(what.as_deref(), Some("is date: it can have `fail`, `clamp`, `text`"));
    let (what, _) = refused("Code", UnfitPolicy::Truncate);
    assert_eq!(what.as_deref(), Some("is of the key: it can have `fail`"));
    let (what, hint) = refused("id", UnfitPolicy::Null);
    assert_eq!(what.as_deref(), Some("is bigint: Redshift holds each value of it"));
    assert_eq!(hint.as_deref(), Some("leave it out of `unfit`"));
    let error = shaped(&orders(), &wishing(UnfitPolicy::Fail, &[("totl", UnfitPolicy::Null)]))
        .expect_err("there is none");
    assert_eq!(error.hint().as_deref(), Some("did you mean `total`?"));
}
