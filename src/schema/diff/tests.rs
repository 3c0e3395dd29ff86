use proptest::prelude::*;

use super::*;
use crate::schema::{
    ColumnType, hash,
    testing::{array, builtin, column, domain, mood, table},
};

fn orders() -> TableSchema {
    table(
        &["id"],
        vec![
            column(1, "id", builtin("int8", "bigint")),
            column(2, "fee", builtin("numeric", "numeric(8,2)")),
            column(3, "state", mood(&["new", "done"])),
        ],
    )
}

/// The difference in words after `change` was done to [`orders`].
fn after(change: impl FnOnce(&mut TableSchema)) -> String {
    let mut new = orders();
    change(&mut new);
    in_words(&diff(&orders(), &new))
}

#[test]
fn each_change_has_its_words() {
    assert_eq!(after(|_| ()), "");
    assert_eq!(
        after(|new| new.columns.push(column(4, "tip", builtin("int4", "integer")))),
        "column `tip` was added"
    );
    assert_eq!(after(|new| drop(new.columns.remove(1))), "column `fee` was dropped");
    assert_eq!(after(|new| new.columns[1].name = "charge".into()), "column `fee` was renamed to `charge`");
    assert_eq!(
        after(|new| new.columns[1].column_type.sql = "numeric(10,2)".into()),
        "column `fee` changed from numeric(8,2) to numeric(10,2)"
    );
    assert_eq!(after(|new| new.columns[2].nullable = false), "column `state` does not allow NULL any more");
    assert_eq!(after(|new| new.columns[1].generated = Generated::Stored), "column `fee` is generated now");
    assert_eq!(after(|new| new.key.clear()), "the key changed from (`id`) to none");
    assert_eq!(after(|new| new.columns.swap(1, 2)), "the columns stand in another order");
}

#[test]
fn labels_are_compared_one_by_one() {
    assert_eq!(
        after(|new| new.columns[2].column_type = mood(&["new", "lost"])),
        "the labels of column `state` changed: `lost` added, `done` removed"
    );
    assert_eq!(
        after(|new| new.columns[2].column_type = mood(&["done", "new"])),
        "the labels of column `state` changed: they stand in another order"
    );
}

#[test]
fn a_renamed_key_is_the_same_key() {
    let rename = |new: &mut TableSchema| {
        new.columns[0].name = "order_id".into();
        new.key = vec!["order_id".into()];
    };
    assert_eq!(after(rename), "column `id` was renamed to `order_id`");
}

#[test]
fn a_number_used_again_for_another_type_is_no_rename() {
    let replaced = |new: &mut TableSchema| new.columns[1] = column(2, "tip", builtin("int4", "integer"));
    assert_eq!(after(replaced), "column `tip` was added; column `fee` was dropped");
}

#[test]
fn a_domain_over_something_else_is_seen() {
    let with = |base: ColumnType| table(&[], vec![column(1, "a", domain("public.d", base))]);
    let (old, new) = (with(builtin("int4", "integer")), with(builtin("int8", "bigint")));
    assert_eq!(in_words(&diff(&old, &new)), "the type public.d of column `a` was defined anew");
}

fn any_type() -> impl Strategy<Value = ColumnType> {
    prop_oneof![
        Just(builtin("int4", "integer")),
        Just(builtin("numeric", "numeric(8,2)")),
        Just(mood(&["a", "b"])),
        Just(mood(&["b", "a"])),
        Just(array(mood(&["a", "c"]))),
        Just(domain("public.d", builtin("int4", "integer"))),
        Just(domain("public.d", builtin("text", "text"))),
    ]
}

fn any_table() -> impl Strategy<Value = TableSchema> {
    let columns = prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4).prop_shuffle();
    let with_types = columns.prop_flat_map(|names| {
        let count = names.len();
        (Just(names), prop::collection::vec((any_type(), any::<bool>(), 1..6i16), count), 0..=count)
    });
    with_types.prop_map(|(names, of, in_key)| {
        let key = &names[..in_key];
        let columns = names.iter().zip(of).map(|(name, (column_type, nullable, number))| Column {
            nullable,
            ..column(number, name, column_type)
        });
        table(key, columns.collect())
    })
}

proptest! {
    /// What the hash sees, the difference can tell, and the other way round.
    #[test]
    fn no_difference_means_the_same_hash(old in any_table(), new in any_table()) {
        prop_assert_eq!(diff(&old, &new).is_empty(), hash(&old) == hash(&new));
        prop_assert!(diff(&old, &old).is_empty());
    }
}
