//! Values that the warehouse cannot hold: refused, or told of.

use super::{Decision, LoadError};
use crate::{
    clock,
    config::LoadSpec,
    schema::{Abilities, Shape, Unfit, UnfitPolicy, UnfitUse},
    warehouse::LedgerRow,
};

/// What stands for NULL in a load's CSV. It stays the same from load to load, so that equal rows are
/// equal bytes.
pub(super) fn give_null(shape: &mut Shape, abilities: &Abilities, last: Option<&LedgerRow>) {
    if *abilities == Abilities::Redshift {
        let before = last.and_then(|last| last.state.null.clone());
        shape.csv.null = before.unwrap_or_else(|| new_null(SHORT));
    }
}

/// A wide table is mostly NULL, and each of them is these letters: two more cost it a twentieth of its bytes.
const SHORT: usize = 2;

/// What no table has by accident.
const LONG: usize = 7;

/// Another one. No backslash: in Redshift's literals it means something. That no value is equal to it is
/// looked for in every row.
fn new_null(letters: usize) -> String {
    format!("~{}", &clock::random_text()[..letters])
}

impl Decision {
    /// The same for a later attempt: what stood for NULL may have been a value of the table.
    pub(super) fn with_another_null(mut self) -> Self {
        if !self.shape.csv.null.is_empty() {
            self.shape.csv.null = new_null(LONG);
            self.state.null = Some(self.shape.csv.null.clone());
        }
        self
    }
}

/// Values that do not fit and are not to be replaced: how many there are of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What they are.
    pub unfit: Unfit,
    /// How many there are in one part of the table.
    pub values: u64,
}

/// Refuses a part that has such values.
pub(super) fn refuse(spec: &LoadSpec, unfit: &[Unfit], counts: &[u64]) -> Result<(), LoadError> {
    let misfits: Vec<Misfit> = unfit
        .iter()
        .zip(counts)
        .filter(|(unfit, values)| unfit.policy == UnfitPolicy::Fail && **values > 0)
        .map(|(unfit, values)| Misfit { unfit: unfit.clone(), values: *values })
        .collect();
    match misfits.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Unfit { table: spec.source_table.clone(), misfits }),
    }
}

/// What was replaced, all parts together.
pub(super) fn uses(unfit: &[Unfit], parts: &[Vec<u64>]) -> Vec<UnfitUse> {
    let total = |number: usize| parts.iter().filter_map(|counts| counts.get(number)).sum();
    let used = |(number, unfit): (usize, &Unfit)| UnfitUse {
        column: unfit.column.clone(),
        kind: unfit.kind.to_string(),
        policy: unfit.policy,
        values: total(number),
    };
    unfit.iter().enumerate().map(used).filter(|used| used.values > 0).collect()
}

/// `3 values of `total` (NaN)`.
pub(super) fn in_words(misfits: &[Misfit]) -> String {
    let words = |Misfit { unfit, values }: &Misfit| {
        let noun = if *values == 1 { "value" } else { "values" };
        format!("{values} {noun} of `{}` ({})", unfit.column, unfit.kind)
    };
    misfits.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// What can be done about them.
pub(super) fn hint(misfits: &[Misfit]) -> String {
    let answer = |Misfit { unfit, .. }: &Misfit| {
        let others: Vec<String> = unfit
            .allowed
            .iter()
            .filter(|policy| **policy != UnfitPolicy::Fail)
            .map(|policy| format!("\"{policy}\""))
            .collect();
        (!others.is_empty())
            .then(|| format!("`unfit = {{ {} = … }}` takes {}", unfit.column, others.join(", ")))
    };
    let answers: Vec<String> = misfits.iter().filter_map(answer).collect();
    match answers.is_empty() {
        true => "exclude the column, or mend these values in the source".to_owned(),
        false => format!("{}; or exclude the column", answers.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::UnfitKind;

    fn unfit(column: &str, kind: UnfitKind, policy: UnfitPolicy) -> Unfit {
        let allowed = vec![UnfitPolicy::Fail, UnfitPolicy::Null];
        Unfit { column: column.into(), sql_type: "numeric".into(), kind, policy, allowed }
    }

    #[test]
    fn only_what_is_to_fail_fails() {
        let all = [
            unfit("a", UnfitKind::Nan, UnfitPolicy::Null),
            unfit("b", UnfitKind::TooLarge, UnfitPolicy::Fail),
            unfit("c", UnfitKind::Nan, UnfitPolicy::Fail),
        ];
        let misfits: Vec<Misfit> = [(1, 2), (2, 1)]
            .map(|(at, values): (usize, u64)| Misfit { unfit: all[at].clone(), values })
            .into();
        assert_eq!(in_words(&misfits), "2 values of `b` (infinite or too large), 1 value of `c` (NaN)");
        assert!(hint(&misfits).starts_with("`unfit = { b = … }` takes \"null\"; `unfit = { c = … }`"));
    }

    #[test]
    fn what_was_replaced_is_added_up_over_the_parts() {
        let all = [
            unfit("a", UnfitKind::Nan, UnfitPolicy::Null),
            unfit("b", UnfitKind::TooLong { bytes_max: 65_535 }, UnfitPolicy::Truncate),
        ];
        assert_eq!(uses(&all, &[vec![0, 0], vec![0, 0]]), []);
        let uses = uses(&all, &[vec![0, 1], vec![0, 2]]);
        let words: Vec<String> = uses.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["3 values of `b` cut: more than 65535 bytes"]);
    }

    #[test]
    fn what_stands_for_null_is_another_one_each_time() {
        let (one, other) = (new_null(LONG), new_null(LONG));
        assert_ne!(one, other);
        assert_eq!((one.len(), new_null(SHORT).len()), (8, 3));
        assert!(one[1..].chars().all(|letter| letter.is_ascii_alphanumeric()));
    }
}
