//! How large a VARCHAR is, and when one that is there must become larger.

/// The greatest VARCHAR.
pub const VARCHAR_BYTES_MAX: u32 = 65_535;

/// The least that a measured column is given.
const MEASURED_BYTES_MIN: u32 = 64;

/// The setting `varchar`: how large the VARCHAR of a text column is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Varchar {
    /// As the source declares it; the greatest where it declares none.
    #[default]
    Declared,
    /// As the longest value, with room to grow; never smaller than what is there.
    Measured,
}

/// The size for a column whose longest value has `longest` bytes: a quarter more, up to the next power
/// of two, so that it seldom changes.
pub fn measured_bytes(longest: u64) -> u32 {
    let wanted = longest.saturating_add(longest / 4).max(1).checked_next_power_of_two();
    wanted
        .and_then(|bytes| u32::try_from(bytes).ok())
        .map_or(VARCHAR_BYTES_MAX, |bytes| bytes.clamp(MEASURED_BYTES_MIN, VARCHAR_BYTES_MAX))
}

/// The size of a VARCHAR that is worth measuring.
pub(in crate::schema) fn measurable(sql_type: &str) -> Option<u32> {
    let (family, bytes) = sized(sql_type)?;
    (family == "varchar" && bytes > MEASURED_BYTES_MIN).then_some(bytes)
}

/// A column that must become larger before rows can be put into it. Redshift does that outside of a
/// transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    /// Its name in the warehouse.
    pub column: String,
    /// The type that it must have: `varchar(512)`.
    pub sql_type: String,
}

/// What of a live table must become larger, and is otherwise as it is `wanted`: name and type of each
/// column. Types are compared as this module writes them. `None`: no widening makes one of the other.
pub fn widenings(live: &[(&str, &str)], wanted: &[(&str, &str)]) -> Option<Vec<Widening>> {
    if live.len() != wanted.len() {
        return None;
    }
    let mut widenings = Vec::new();
    for (name, sql_type) in wanted {
        let (_, there) = live.iter().find(|(live, _)| live == name)?;
        if there == sql_type {
            continue;
        }
        let (family, bytes) = sized(sql_type)?;
        let (family_there, bytes_there) = sized(there)?;
        if family != family_there {
            return None;
        }
        if bytes > bytes_there {
            widenings.push(Widening { column: (*name).to_owned(), sql_type: (*sql_type).to_owned() });
        }
    }
    Some(widenings)
}

/// Family and size of a type that can be widened.
fn sized(sql_type: &str) -> Option<(&str, u32)> {
    let (family, size) = sql_type.strip_suffix(')')?.split_once('(')?;
    matches!(family, "varchar" | "varbyte").then_some(())?;
    Some((family, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_column_has_room_to_grow() {
        let sizes = [0, 1, 51, 52, 100, 1_000, 52_000, 53_000, 1_000_000, u64::MAX].map(measured_bytes);
        assert_eq!(sizes, [64, 64, 64, 128, 128, 2048, 65_535, 65_535, 65_535, 65_535]);
    }

    #[test]
    fn what_is_too_small_is_widened_and_what_is_larger_stays() {
        let live = [("id", "bigint"), ("a", "varchar(64)"), ("b", "varchar(256)"), ("c", "varbyte(10)")];
        let wanted = [("id", "bigint"), ("a", "varchar(128)"), ("b", "varchar(64)"), ("c", "varbyte(20)")];
        let widening =
            |column: &str, sql_type: &str| Widening { column: column.into(), sql_type: sql_type.into() };
        assert_eq!(
            widenings(&live, &wanted),
            Some(vec![widening("a", "varchar(128)"), widening("c", "varbyte(20)")])
        );
        assert_eq!(widenings(&live, &live), Some(Vec::new()));
    }

    #[test]
    fn no_widening_makes_another_type_or_column() {
        assert_eq!(widenings(&[("a", "varchar(64)")], &[("a", "bigint")]), None);
        assert_eq!(widenings(&[("a", "varchar(64)")], &[("a", "varbyte(64)")]), None);
        assert_eq!(widenings(&[("a", "varchar(64)")], &[("b", "varchar(64)")]), None);
        assert_eq!(widenings(&[("a", "bigint")], &[("a", "bigint"), ("b", "bigint")]), None);
    }
}
