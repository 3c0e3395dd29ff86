//! SELECTs made by rule, whose tables are known because they were put in.

use proptest::prelude::*;

use super::{Kind, read};
use crate::sql::{Dialect, quote_ident};

/// A piece of SQL, and the tables in it, in its order.
#[derive(Debug, Clone)]
struct Piece {
    sql: String,
    tables: Vec<String>,
}

fn piece(sql: &str, parts: &[&Piece]) -> Piece {
    let mut text = String::new();
    let mut rest = sql.split('@');
    text += rest.next().unwrap_or_default();
    for (part, after) in parts.iter().zip(rest) {
        text += &part.sql;
        text += after;
    }
    Piece { sql: text, tables: parts.iter().flat_map(|part| part.tables.clone()).collect() }
}

/// A table as it may be written. Its folded name is the same in both dialects.
fn table() -> impl Strategy<Value = Piece> {
    let name = "(t|ü)[a-z]{0,2}";
    (prop::option::of("s[a-z]{0,2}"), name, 0..4_u8).prop_map(|(schema, name, style)| {
        let write = |part: &str| match style {
            0 => part.to_owned(),
            1 => quote_ident(part),
            _ => part.chars().map(|c| c.to_ascii_uppercase()).collect(),
        };
        let (dot, schema) = (if style == 3 { " . " } else { "." }, schema.as_deref());
        let sql = schema.map_or_else(|| write(&name), |schema| write(schema) + dot + &write(&name));
        let full = schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}"));
        Piece { sql, tables: vec![full] }
    })
}

fn select() -> impl Strategy<Value = Piece> {
    let plain = table().prop_map(|t| piece("SELECT c.x FROM @ AS c", &[&t]));
    plain.prop_recursive(5, 24, 3, |inner| {
        let (a, b, c) = (inner.clone(), inner.clone(), table());
        (a, b, c, 0..12_u8).prop_map(|(a, b, t, form)| match form {
            0 => piece("SELECT (@), 'FROM no' FROM @ c", &[&a, &t]),
            1 => piece("SELECT 1 FROM (@) x JOIN @ AS c ON x.a IN (@)", &[&a, &t, &b]),
            2 => piece("SELECT 1 FROM ((@) UNION ALL (@)) u UNION TABLE @", &[&a, &b, &t]),
            3 => piece("SELECT 1 FROM @ c\r\nWHERE EXISTS (@) -- FROM no\n AND c.y = (@)", &[&t, &a, &b]),
            4 => piece("SELECT 1 FROM generate_series(1, (@)) c, @ d", &[&a, &t]),
            5 => piece("WITH w AS (@) SELECT 1 FROM w, @ c WHERE 1 = (@)", &[&a, &t, &b]),
            6 => piece("WITH w AS (@), v AS (SELECT 1 FROM w, @ é) SELECT 1 FROM v", &[&a, &t]),
            7 => piece("SELECT EXTRACT(day FROM x) FROM (@ c CROSS JOIN @ d)", &[&t, &t]),
            8 => piece("SELECT CASE WHEN x THEN (@) END FROM @ c ORDER BY (@)", &[&a, &t, &b]),
            9 => piece("SELECT x FROM @ c GROUP BY x HAVING max(y) > ALL (@)", &[&t, &a]),
            10 => piece("SELECT 1 FROM @ c, LATERAL (@) l", &[&t, &a]),
            _ => piece("SELECT /* FROM no */ rank() OVER (ORDER BY (@)) FROM @ c", &[&a, &t]),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn exactly_the_tables_put_in_are_found_and_written(made in select()) {
        for dialect in [Dialect::Postgres, Dialect::Redshift] {
            let query = read(&made.sql, dialect).map_err(|e| TestCaseError::fail(format!("{e} in {}", made.sql)))?;
            let found: Vec<_> = query.references.iter().map(super::name).collect();
            prop_assert_eq!(&found, &made.tables, "{}", made.sql);
            query.references.iter().for_each(|read| super::stands_there(&made.sql, read));
            prop_assert_eq!(query.written(None, |_| None), made.sql.clone());

            let written = query.written(None, |read| {
                Some(format!("\"new\".{}", quote_ident(&format!("x {}", read.name))))
            });
            let again = read(&written, dialect).map_err(|e| TestCaseError::fail(format!("{e} in {written}")))?;
            prop_assert_eq!(again.references.len(), query.references.len());
            for (old, new) in query.references.iter().zip(&again.references) {
                prop_assert_eq!((new.kind, new.schema.as_deref()), (Kind::Table, Some("new")));
                prop_assert_eq!(&new.name, &format!("x {}", old.name));
            }
            let back = again.written(None, |_| Some("t".to_owned()));
            prop_assert_eq!(back, query.written(None, |_| Some("t".to_owned())));
        }
    }
}
