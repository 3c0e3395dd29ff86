//! What changes a hash and what does not, for any schema; and hashes that were computed elsewhere.

use proptest::prelude::*;

use super::*;
use crate::schema::{
    RelationKind,
    testing::{array, builtin, column, composite, domain, mood, table},
};

/// Hashes of version 1 that another program made, from what the documentation says: SHA-256 of the canonical form as JSON without
/// blanks (Python's `json` and `hashlib`).
#[test]
fn version_1_is_what_others_compute() {
    let bigint = || column(1, "id", builtin("int8", "bigint"));
    let key = || Column { nullable: false, ..bigint() };
    let note = || column(2, "note", builtin("text", "text"));
    let moods = |labels: &[&str]| table(&[], vec![column(1, "m", mood(labels))]);
    let share = array(domain("public.share", builtin("numeric", "numeric(12,2)")));
    let shares = Column { generated: Generated::Stored, ..column(1, "größe \"🦉\"", share) };
    let identity = Column { generated: Generated::Identity, ..key() };
    for (schema, expected) in [
        (table(&[], vec![]), "af005cdb21c0998a2ee90ae7249a34a8c35e7044b530c6c4a12ec528916120a2"),
        (table(&[], vec![bigint()]), "9805196111eb8215ed2fcbf484f1e03b6e607bcd68523e678b59a4d72b2f6a6b"),
        (table(&["id"], vec![identity]), "06428be0c0923093c25f1c9e3dcb37df56b6dd29e812cf883f029a1cd10a93b9"),
        (
            table(&["id"], vec![key(), note()]),
            "9649b503cb3b5df8dc8f7900eb06e063b000dbe839b73ce858f3b7a4d5b09a1e",
        ),
        (
            table(&["id"], vec![note(), key()]),
            "9616b9a57211f39ff6b52f4cd1b6afe0c5b15579462449de77a1de8ffac3bac8",
        ),
        (moods(&["calm", "hungry"]), "8ef04fb5bc7b185696cb092ed35103e412119ad656e4c8f81ec95fb4a677ac1a"),
        (moods(&["hungry", "calm"]), "d90eb2819d40fa113b58be11a21f824b149130664abe713e60d2b2aa08982c8e"),
        (table(&[], vec![shares]), "f986d29988aaa809ce6c51f20deeaacdaaaa4f4da183ff1b10abe1286a4f6066"),
        (
            table(&[], vec![column(1, "p", composite())]),
            "4639768fd8827dd8387390d962d806589cf0a68864719677a00815b4b4f48d4b",
        ),
    ] {
        assert_eq!(hash(&schema), format!("v1:{expected}"), "{schema:?}");
    }
}

/// Few names, so that two schemas are often nearly the same one.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("a\",\"b".to_owned()), "[a-c\"\\\\,🦉]{0,3}"]
}

fn any_type() -> impl Strategy<Value = ColumnType> {
    let sql = || prop_oneof![Just("text".to_owned()), Just("numeric(12,2)".to_owned()), name()];
    let plain = (sql(), name(), name(), 0..5_u8).prop_map(|(sql, a, b, form)| {
        let kind = match form {
            0 => TypeKind::Builtin { name: a },
            1 => TypeKind::Enum { labels: vec![a, b] },
            2 => TypeKind::Enum { labels: vec![format!("{a}{b}")] },
            3 => TypeKind::Extension { extension: a, name: b },
            _ => TypeKind::Other,
        };
        ColumnType { sql, kind }
    });
    plain.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), inner, name(), 0..5_u8).prop_map(|(of, other, name, form)| {
            let (sql, of, other) = (of.sql.clone(), Box::new(of), other);
            let kind = match form {
                0 => TypeKind::Domain { base: of },
                1 => TypeKind::Array { element: of },
                2 => TypeKind::Range { element: of },
                3 => TypeKind::Hashed { of },
                _ => TypeKind::Composite { attributes: vec![(name.clone(), *of), (name, other)] },
            };
            ColumnType { sql, kind }
        })
    })
}

fn any_column() -> impl Strategy<Value = Column> {
    let generated = prop_oneof![Just(Generated::No), Just(Generated::Stored), Just(Generated::Identity)];
    (name(), any::<i16>(), any_type(), any::<bool>(), generated).prop_map(
        |(name, number, column_type, nullable, generated)| Column {
            name,
            number,
            column_type,
            nullable,
            generated,
        },
    )
}

fn any_schema() -> impl Strategy<Value = TableSchema> {
    let kind =
        prop_oneof![Just(RelationKind::Table), Just(RelationKind::View), Just(RelationKind::Partitioned)];
    (kind, prop::collection::vec(any_column(), 0..4), prop::collection::vec(name(), 0..3))
        .prop_map(|(kind, columns, key)| TableSchema { kind, columns, key })
}

/// One thing about a schema, changed; or nothing that is hashed.
fn changed(schema: &TableSchema, what: u8, at: prop::sample::Index, other: &Column) -> TableSchema {
    let mut schema = schema.clone();
    let count = schema.columns.len();
    let column = (count > 0).then(|| at.index(count));
    match (what, column) {
        (0, Some(at)) => schema.columns[at].nullable ^= true,
        (1, Some(at)) => schema.columns[at].name = other.name.clone(),
        (2, Some(at)) => schema.columns[at].column_type = other.column_type.clone(),
        (3, Some(at)) => schema.columns[at].generated = other.generated,
        (4, Some(at)) => drop(schema.columns.remove(at)),
        (5, Some(at)) => schema.columns.swap(at, count - 1),
        (6, Some(at)) => schema.columns[at].number = other.number,
        (7, _) => schema.columns.push(other.clone()),
        (8, _) => schema.key.push(other.name.clone()),
        (9, _) => schema.key.reverse(),
        (10, _) => schema.kind = RelationKind::MaterializedView,
        (11, Some(at)) => {
            if let TypeKind::Enum { labels } = &mut schema.columns[at].column_type.kind {
                labels.reverse();
            }
        }
        _ => {}
    }
    schema
}

/// What is not hashed, made the same.
fn hashed(schema: &TableSchema) -> TableSchema {
    let columns = schema.columns.iter().map(|column| Column { number: 0, ..column.clone() }).collect();
    TableSchema { kind: RelationKind::Table, columns, key: schema.key.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn two_schemas_have_one_hash_only_if_all_that_is_hashed_is_the_same(
        schema in any_schema(),
        independent in any_schema(),
        what in 0..13_u8,
        at in any::<prop::sample::Index>(),
        other in any_column(),
    ) {
        for second in [changed(&schema, what, at, &other), independent] {
            let is_same = hashed(&schema) == hashed(&second);
            prop_assert_eq!(hash(&schema) == hash(&second), is_same, "{:?}\n{:?}", schema, second);
            prop_assert_eq!(matches(&second, &hash(&schema)), Ok(is_same));
        }
        let kept = serde_json::to_string(&schema).expect("names and types are JSON");
        let read: TableSchema = serde_json::from_str(&kept).expect("it was written by the same form");
        prop_assert_eq!(hash(&read), hash(&schema), "through the ledger");
    }
}
