//! What is no model, and where it goes wrong.

use proptest::prelude::*;

use super::read;
use crate::{
    error::Fault,
    sql::{Dialect, refs::Problem},
};

#[test]
fn what_is_no_select_is_refused_with_its_place() {
    let writes = "INSERT, UPDATE, DELETE or MERGE in a model: a model only reads";
    let locks = "FOR UPDATE or FOR SHARE in a model: a model only reads";
    let cases = [
        ("", "line 1, column 1: the file holds no SELECT"),
        ("-- nothing\n;", "line 1, column 1: the file holds no SELECT"),
        ("\n  INSERT INTO t SELECT 1", "line 2, column 3: `INSERT` is no SELECT"),
        ("EXPLAIN SELECT 1", "line 1, column 1: `EXPLAIN` is no SELECT"),
        ("SELECT 1;\n SELECT 2", "line 2, column 2: a second statement; a file is one SELECT"),
        ("SELECT 1; DROP TABLE t", "line 1, column 11: a second statement; a file is one SELECT"),
        ("WITH a AS (SELECT 1) DELETE FROM t", &format!("line 1, column 22: {writes}")),
        ("WITH a AS (\nDELETE FROM t RETURNING id) SELECT * FROM a", &format!("line 2, column 1: {writes}")),
        (
            "WITH a AS (INSERT INTO t VALUES (1) RETURNING id) TABLE a",
            &format!("line 1, column 12: {writes}"),
        ),
        ("SELECT * INTO x FROM t", "line 1, column 15: SELECT INTO in a model: a model only reads"),
        ("SELECT * FROM t FOR UPDATE", &format!("line 1, column 17: {locks}")),
        ("SELECT * FROM (SELECT 1 FROM t\nFOR SHARE) x", &format!("line 2, column 1: {locks}")),
        ("SELECT * FROM t FOR NO KEY UPDATE", &format!("line 1, column 17: {locks}")),
        ("SELECT a FROM t\nWHERE b = :until", "line 2, column 11: unknown placeholder `:until`"),
        ("SELECT $1 FROM t", "line 1, column 8: unknown placeholder `$1`"),
        (
            "SELECT * FROM a.b.c.d",
            "line 1, column 15: the SQL cannot be read: a table's name has at most three parts",
        ),
        ("SELECT 'open FROM t", "line 1, column 8: the SQL cannot be read: Unterminated string literal"),
        ("SELECT 1\nFROM t WHERE (a", "line 2, column 16: the SQL cannot be read: Expected: ), found: EOF"),
    ];
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        for (sql, expected) in &cases {
            let error = read(sql, dialect).expect_err(sql);
            assert_eq!(error.to_string(), *expected, "{dialect:?}: {sql}");
            assert!(error.hint().is_some(), "{sql}");
        }
    }
}

/// The parser reads on where the warehouse does not, and passes over what the warehouse would not.
#[test]
fn what_the_parser_takes_otherwise_than_the_warehouse_is_refused() {
    let hidden = read("SELECT 1 -- a\rFROM u\nFROM t", Dialect::Redshift).expect_err("it reads u");
    assert_eq!((hidden.line, hidden.column), (1, 10), "{hidden}");
    assert!(hidden.to_string().contains("a carriage return within a comment"), "{hidden}");
    for nested in ["SELECT 1 /* /* */ FROM u /* */ */ FROM t", "SELECT/*/*/1 FROM u"] {
        let hidden = read(nested, Dialect::Redshift).expect_err("it reads something else");
        assert!(hidden.to_string().contains("a comment within a comment"), "{hidden}");
    }
    assert!(read("SELECT 1 /* a **/ FROM t", Dialect::Redshift).is_ok());
    let quoted =
        read("SELECT `'` ; DROP TABLE t; --'` FROM t", Dialect::Redshift).expect_err("it reads no backtick");
    assert!(quoted.to_string().contains("a name in other quotes"), "{quoted}");
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        assert!(read("SELECT 1 |-- ' \n ; DROP TABLE t; --'\n FROM t", dialect).is_err());
        assert!(read("SELECT 1 @/* ' */ ; DROP TABLE t; --'\n FROM t", dialect).is_err());
        assert!(read("SELECT 2*/* a */3 - -1, a->>'--' FROM t", dialect).is_ok());
    }
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        assert!(read("SELECT 1 -- a\r\nFROM t -- b\r\n", dialect).is_ok(), "lines may end so");
        assert!(read("SELECT f() FILTER (\nFROM t", dialect).is_err());
    }
}

/// Neither may overflow a stack, nor take long.
#[test]
fn deep_and_long_texts_are_read_or_refused() {
    let deep = |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(5000), close.repeat(5000));
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        for (open, close) in [("(", ")"), ("f(a, ", ")"), ("(SELECT ", ")"), ("CASE WHEN a THEN ", " END")] {
            let error = read(&deep(open, close), dialect).expect_err(open);
            assert_eq!(error.problem, Problem::TooDeep, "{open}");
            let place = "SELECT ".len() + open.len() * 4999;
            assert!(error.column > place && error.column <= place + open.len(), "{error}");
        }
        assert_eq!(
            read(&deep("- ", ""), dialect).expect_err("deep").problem,
            Problem::TooManyOperators(4000)
        );
        let chain = |more: &str, times: usize| format!("SELECT 1{} FROM t", more.repeat(times));
        for more in [" + 1", " AND a", " || 'x'", " IS NULL", "::int"] {
            assert_eq!(super::names(&read(&chain(more, 4000), dialect).expect(more)), "t");
            let error = read(&chain(more, 4001), dialect).expect_err(more);
            assert_eq!(error.problem, Problem::TooManyOperators(4000));
        }
        assert!(read(&chain(" UNION SELECT 1", 4000), dialect).is_ok());
        assert!(read(&chain(", 1", 50_000), dialect).is_ok());
        assert_eq!(
            read(&chain(", 1", 100_000), dialect).expect_err("long").problem,
            Problem::TooLong(200_000)
        );
    }
}

const SEEDS: &[&str] = &[
    "WITH a AS (SELECT * FROM raw.b x), c AS (TABLE a) SELECT raw.b.id, \"Ü\".* FROM c JOIN raw.b ON true -- é",
    "SELECT o.id, i FROM orders o, o.items[0] AS i, (a JOIN b USING (id)) WHERE t > :since::date AND a IN (1)",
    "SELECT EXTRACT(day FROM x), $$ q $$, E'\\'', a[1:2] FROM t UNION SELECT 1 FROM u FOR UPDATE; /* x */",
];

/// A text that was cut, doubled and mixed.
fn broken() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        (0..SEEDS.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
            |(seed, from, to)| {
                let chars: Vec<char> = SEEDS[seed].chars().collect();
                let (from, to) = (from.index(chars.len()), to.index(chars.len()));
                chars[from.min(to)..from.max(to)].iter().collect::<String>()
            }
        ),
        "[a-z.\"'$:;(),*é\\[\\]#@{}/\\\\ \r\n-]{0,6}",
        prop::sample::select(vec![
            "FROM ", "SELECT ", ":since", " AS ", "WITH ", "(", ")", "\u{0}", "\u{feff}"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_it_panic(text in broken(), whole in 0..SEEDS.len(), at in any::<prop::sample::Index>()) {
        let seed = SEEDS[whole];
        let cut = (0..=at.index(seed.len() + 1)).rev().find(|at| seed.is_char_boundary(*at)).unwrap_or(0);
        let spliced = format!("{}{text}{}", &seed[..cut], &seed[cut..]);
        for sql in [&text, &spliced] {
            for dialect in [Dialect::Postgres, Dialect::Redshift] {
                match read(sql, dialect) {
                    Ok(query) => {
                        query.references.iter().for_each(|read| super::stands_there(sql, read));
                        prop_assert_eq!(&query.written(None, |_| None), sql);
                    }
                    Err(error) => {
                        prop_assert!(!matches!(error.problem, Problem::Lost(_)), "{} in {}", error, sql);
                        prop_assert!(error.line <= sql.matches('\n').count() + 1, "{} in {}", error, sql);
                    }
                }
            }
        }
    }
}
