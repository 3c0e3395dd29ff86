//! Numbers: DECIMAL holds 38 digits, and nothing holds NaN or infinity.

use super::{Arrival, Case};
use crate::schema::{LookKind, UnfitKind, UnfitPolicy};

/// How many digits a DECIMAL has.
const DIGITS_MAX: i32 = 38;

/// How many of them may be behind the point.
const DECIMALS_MAX: i32 = 37;

/// How many are, where the source does not say: so that every bigint and every amount of money fits.
const DECIMALS: i32 = 18;

/// A DECIMAL of up to nineteen digits is kept in 64 bits, which do not hold all of nineteen.
const DIGITS_TOO_FEW: i32 = 19;

/// `numeric`, with or without a modifier.
pub(super) fn numeric(sql: &str) -> Arrival {
    let Some((precision, scale)) = modifier(sql) else {
        return bounded(DIGITS_MAX, DECIMALS).because("it has no declared precision").or_text();
    };
    // Below zero a scale counts zeros before the point; above the precision, zeros behind it.
    let before = (precision - scale).max(0);
    let decimals = scale.max(0);
    if before + decimals <= DIGITS_MAX && decimals <= DECIMALS_MAX {
        let digits = match (before + decimals).max(1) {
            DIGITS_TOO_FEW => DIGITS_TOO_FEW + 1,
            digits => digits,
        };
        let there = format!("numeric({digits},{decimals})");
        let arrival = Arrival::of(&there, "$c")
            .suspecting("$c = 'NaN'", vec![Case::new(UnfitKind::Nan, "true")])
            .seen_by(&[LookKind::Nan])
            .or_text();
        return match there == sql {
            true => arrival,
            false => arrival.because(format!("it has no {sql}")),
        };
    }
    let decimals = decimals.min(DIGITS_MAX - before.min(DIGITS_MAX - DECIMALS)).min(DECIMALS_MAX);
    bounded(DIGITS_MAX, decimals).because(format!("a number has at most {DIGITS_MAX} digits there")).or_text()
}

/// A DECIMAL into which not every number of the column fits.
fn bounded(digits: i32, decimals: i32) -> Arrival {
    let before = usize::try_from(digits - decimals).unwrap_or(0);
    let behind = usize::try_from(decimals).unwrap_or(0);
    let limit = format!("1{}::numeric", "0".repeat(before));
    let most = format!("{}.{}::numeric", "9".repeat(before), "9".repeat(behind));
    // NaN is greater than all numbers.
    let fits = format!("$c > -{limit} AND $c < {limit} AND pg_catalog.scale($c) <= {decimals}");
    let rounded = format!("pg_catalog.round($c, {decimals})");
    let nearest = format!("CASE WHEN $c > 0 THEN {most} ELSE -{most} END");
    let nearest_rounded = format!("least(greatest({rounded}, -{most}), {most})");
    let cases = vec![
        Case::new(UnfitKind::Nan, "$c = 'NaN'"),
        Case::new(UnfitKind::TooLarge, format!("$c <= -{limit} OR $c >= {limit}"))
            .or(UnfitPolicy::Clamp, nearest),
        Case::new(
            UnfitKind::TooFine { decimals: u32::try_from(decimals).unwrap_or(0) },
            format!("$c <> {rounded}"),
        )
        .or(UnfitPolicy::Clamp, nearest_rounded),
    ];
    Arrival::of(format!("numeric({digits},{decimals})"), "$c")
        .suspecting(format!("NOT ({fits})"), cases)
        // Zeros behind the last decimal say nothing.
        .fitting_after_all(rounded)
}

pub(super) fn real() -> Arrival {
    // A larger one reads its own text as beyond a real: as a double it is.
    float("real", "3.4028235e38", "3.4028233e38")
}

pub(super) fn double() -> Arrival {
    float("double precision", "1.7976931348623157e308", "1.7976931348623157e308")
}

fn float(sql: &str, most: &str, nearest: &str) -> Arrival {
    let nearest = format!("CASE WHEN $c > 0 THEN '{nearest}'::{sql} ELSE '-{nearest}'::{sql} END");
    let cases = vec![
        Case::new(UnfitKind::Nan, "$c = 'NaN'"),
        Case::new(UnfitKind::TooLarge, "true").or(UnfitPolicy::Clamp, nearest),
    ];
    // NaN is greater than all numbers.
    let outside = format!("$c < '-{most}'::{sql} OR $c > '{most}'::{sql}");
    Arrival::of(sql, "$c").suspecting(outside, cases).seen_by(&[LookKind::Nan, LookKind::Infinity]).or_text()
}

/// Precision and scale of `numeric(12,2)`.
fn modifier(sql: &str) -> Option<(i32, i32)> {
    let (_, inside) = sql.split_once('(')?;
    let (precision, scale) = inside.strip_suffix(')')?.split_once(',')?;
    Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
}
