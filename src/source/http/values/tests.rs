use std::time::Duration;

use super::*;

fn range(from: Option<&str>, to: &str, to_included: bool) -> CursorRange {
    CursorRange { from: from.map(str::to_owned), to: to.to_owned(), to_included }
}

fn days(count: u64) -> NonZeroU64 {
    NonZeroU64::new(count * DAY).unwrap()
}

#[test]
fn a_range_is_cut_without_a_gap_and_ends_where_it_ends() {
    let whole = range(Some("2026-01-01"), "2026-01-18", true);
    let slices = cut(CursorKind::Date, "2026-01-01", &whole, days(7), 100);
    let ranges: Vec<CursorRange> = slices.into_iter().map(|slice| slice.range).collect();
    let expected = [
        range(Some("2026-01-01"), "2026-01-08", false),
        range(Some("2026-01-08"), "2026-01-15", false),
        range(Some("2026-01-15"), "2026-01-18", true),
    ];
    assert_eq!(ranges, expected);
    let moments = range(Some("2026-01-01T12:00:00Z"), "2026-01-02 12:00:00.25+00", false);
    let slices = cut(CursorKind::Moment, "2026-01-01T12:00:00Z", &moments, days(1), 100);
    assert_eq!(slices.len(), 2);
    assert_eq!(slices[1].range, range(Some("2026-01-02T12:00:00Z"), "2026-01-02 12:00:00.25+00", false));
    assert_eq!(cut(CursorKind::Date, "2020-01-01", &whole, days(1), 3).len(), 3);
}

#[test]
fn only_times_have_an_overlap_and_no_watermark_goes_back() {
    let hour = Duration::from_secs(3600);
    assert_eq!(earlier(CursorKind::Moment, "2026-01-02 00:30:00+00", hour), "2026-01-01T23:30:00Z");
    assert_eq!(earlier(CursorKind::Date, "2026-01-02", hour), "2026-01-01");
    assert_eq!(earlier(CursorKind::Date, "2026-01-02", Duration::ZERO), "2026-01-02");
    assert_eq!(earlier(CursorKind::LocalTime, "2026-01-02 00:30:00", hour), "2026-01-01T23:30:00");
    assert_eq!(earlier(CursorKind::Number, "17", hour), "17");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(greatest(CursorKind::Number, text("9"), text("10")), text("10"));
    assert_eq!(greatest(CursorKind::Text, text("9"), text("10")), text("9"));
    assert_eq!(greatest(CursorKind::Date, None, text("2026-01-01")), text("2026-01-01"));
}

#[test]
fn a_time_beyond_now_is_no_watermark() {
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    assert!(is_credible(CursorKind::Moment, "2026-01-01 23:59:59+00", now));
    assert!(!is_credible(CursorKind::Moment, "2026-01-02T00:00:01Z", now));
    assert!(is_credible(CursorKind::Date, "2026-01-02", now));
    assert!(!is_credible(CursorKind::Date, "2026-01-03", now));
    assert!(is_credible(CursorKind::Number, "99999999999", now));
}
