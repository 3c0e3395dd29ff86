//! Which loads make up what a table shows: the last one that brought the whole of it, and those of new
//! rows that followed.

use std::collections::{BTreeMap, BTreeSet};

use crate::warehouse::Lineage;

/// The loads whose rows `load` shows, in the order in which they are put together. A load of new rows whose
/// base is not in `lineage` stands alone.
pub(super) fn chain<'a>(lineage: &'a [Lineage], load: &'a str) -> Vec<&'a str> {
    let known: BTreeMap<&str, &Lineage> = lineage.iter().map(|one| (one.load.as_str(), one)).collect();
    let (mut chain, mut seen, mut load) = (Vec::new(), BTreeSet::new(), load);
    // A state stands on older ones; a ledger that says otherwise must not hold us up for ever.
    while seen.insert(load) {
        let Some(one) = known.get(load) else {
            chain.push(load);
            break;
        };
        if let Some(restored) = &one.restored {
            load = restored;
            continue;
        }
        if one.base == one.load || !known.contains_key(one.base.as_str()) {
            chain.push(load);
            break;
        }
        // The load itself whatever its id: a clock may have been set back.
        chain.push(load);
        let follows = |other: &&&str| **other > one.base.as_str() && **other < load;
        let of_base = known.keys().filter(|id| known[*id].base == one.base);
        chain.extend(of_base.rev().filter(follows).copied());
        load = &one.base;
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(loads: &[(&str, &str, Option<&str>)]) -> Vec<Lineage> {
        let one = |(load, base, restored): &(&str, &str, Option<&str>)| Lineage {
            load: (*load).to_owned(),
            base: (*base).to_owned(),
            restored: restored.map(str::to_owned),
        };
        loads.iter().map(one).collect()
    }

    #[test]
    fn a_load_of_new_rows_stands_on_its_base_and_all_between() {
        let loads = lineage(&[("1", "1", None), ("2", "2", None), ("3", "2", None), ("4", "2", None)]);
        assert_eq!(chain(&loads, "1"), ["1"]);
        assert_eq!(chain(&loads, "3"), ["2", "3"]);
        assert_eq!(chain(&loads, "4"), ["2", "3", "4"]);
    }

    #[test]
    fn a_restored_state_is_the_state_that_was_restored() {
        let loads = lineage(&[
            ("1", "1", None),
            ("2", "1", None),
            ("3", "1", None),
            ("4", "4", Some("2")),
            ("5", "4", None),
            ("6", "6", Some("5")),
            ("7", "6", None),
        ]);
        assert_eq!(chain(&loads, "4"), ["1", "2"]);
        assert_eq!(chain(&loads, "5"), ["1", "2", "5"]);
        assert_eq!(chain(&loads, "7"), ["1", "2", "5", "7"]);
        assert_eq!(chain(&loads, "3"), ["1", "2", "3"]);
    }

    #[test]
    fn a_ledger_that_goes_round_in_circles_holds_nobody_up() {
        let loads = lineage(&[("1", "1", Some("2")), ("2", "2", Some("1"))]);
        assert_eq!(chain(&loads, "2"), Vec::<&str>::new());
    }
}
