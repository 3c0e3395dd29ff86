//! What is put into a request: `{since}`, `{until}`, `{date}`, `{work.address}`.

use std::{collections::BTreeMap, fmt};

use jiff::{Timestamp, civil, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// What is put into one query's requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// From where on: a value of the cursor, times in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The window's day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The days of `since` and `until`, where the windows are not of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<(String, String)>,
    /// The work's row.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, Option<String>>,
}

impl Given {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A text with names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern(pub Vec<Piece>);

/// A piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// From where on.
    Since(Time),
    /// Before what.
    Until(Time),
    /// The window's day.
    Date,
    /// A column of the work's row.
    Work(String),
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// As it is given.
    Plain,
    /// `2026-11-29`.
    Date,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
}

/// A name for which there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// The work has no such column.
    #[error("`{{work.{column}}}` names no column of `work`")]
    Column {
        /// The column.
        column: String,
    },
    /// The work's row has nothing there: a request without it would be another one.
    #[error("the column `{column}` of `work` is NULL")]
    Null {
        /// The column.
        column: String,
    },
    /// A value by which a path would lead elsewhere.
    #[error("a value that is put into `path` is made of dots alone, by which it would lead elsewhere")]
    Dots,
    /// A value that is to be written as a time, and is none.
    #[error("`{{{name}}}` is to be written as a time, and the cursor has none")]
    NoTime {
        /// The name.
        name: &'static str,
    },
}

/// What stands in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Pattern {
    /// The text, filled in; `None` where something of it is not given, as `{since}` the first time.
    pub fn fill(&self, given: &Given) -> Result<Option<String>, Missing> {
        self.filled(given, str::to_owned)
    }

    /// The same as a path: what is filled in stays within its segment.
    pub fn fill_path(&self, given: &Given) -> Result<Option<String>, Missing> {
        let path = self.filled(given, |value| utf8_percent_encode(value, SEGMENT).to_string())?;
        // Whoever reads such a path goes up by it, however it is written.
        let is_dots = |segment: &str| matches!(segment, "." | "..");
        match path {
            Some(path) if path.split('/').any(is_dots) => Err(Missing::Dots),
            path => Ok(path),
        }
    }

    fn filled(&self, given: &Given, encode: impl Fn(&str) -> String) -> Result<Option<String>, Missing> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                piece => match (piece.value(given)?, piece) {
                    (Some(value), _) => text.push_str(&encode(&value)),
                    (None, Piece::Work(column)) => return Err(Missing::Null { column: column.clone() }),
                    (None, _) => return Ok(None),
                },
            }
        }
        Ok(Some(text))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = |time: &Time| match time {
            Time::Plain => "",
            Time::Date => ".date",
            Time::Unix => ".unix",
            Time::UnixMs => ".unix_ms",
        };
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Since(time) => write!(f, "{{since{}}}", form(time)),
            Piece::Until(time) => write!(f, "{{until{}}}", form(time)),
            Piece::Date => f.write_str("{date}"),
            Piece::Work(column) => write!(f, "{{work.{column}}}"),
        })
    }
}

impl Piece {
    /// What it stands for; `None` where it is not given or NULL.
    pub fn value(&self, given: &Given) -> Result<Option<String>, Missing> {
        match self {
            Self::Text(plain) => Ok(Some(plain.clone())),
            Self::Since(Time::Date) if given.days.is_some() => {
                Ok(given.days.as_ref().map(|days| days.0.clone()))
            }
            Self::Until(Time::Date) if given.days.is_some() => {
                Ok(given.days.as_ref().map(|days| days.1.clone()))
            }
            Self::Since(form) => written(given.since.as_deref(), *form, "since"),
            Self::Until(form) => written(given.until.as_deref(), *form, "until"),
            Self::Date => Ok(given.date.clone()),
            Self::Work(column) => match given.work.get(column) {
                Some(value) => Ok(value.clone()),
                None => Err(Missing::Column { column: column.clone() }),
            },
        }
    }
}

fn written(value: Option<&str>, form: Time, name: &'static str) -> Result<Option<String>, Missing> {
    let Some(value) = value else { return Ok(None) };
    if form == Time::Plain {
        return Ok(Some(value.to_owned()));
    }
    let moment = moment(value).ok_or(Missing::NoTime { name })?;
    Ok(Some(match form {
        Time::Plain => value.to_owned(),
        Time::Date => moment.to_zoned(TimeZone::UTC).date().to_string(),
        Time::Unix => moment.as_second().to_string(),
        Time::UnixMs => moment.as_millisecond().to_string(),
    }))
}

/// A time as a cursor has it: a moment, a local time or a day, which are read as UTC.
pub(crate) fn moment(value: &str) -> Option<Timestamp> {
    moment_in(value, &TimeZone::UTC)
}

/// The same, with local times and days read in a zone.
pub(crate) fn moment_in(value: &str, zone: &TimeZone) -> Option<Timestamp> {
    let value = value.trim();
    if let Ok(moment) = value.parse::<Timestamp>() {
        return Some(moment);
    }
    // Postgres writes `+00` and a blank.
    let spelled = value.replacen(' ', "T", 1);
    let spelled = match spelled.get(spelled.len().saturating_sub(3)..) {
        Some(zone) if zone.starts_with(['+', '-']) && spelled.contains(':') => format!("{spelled}:00"),
        _ => spelled,
    };
    if let Ok(moment) = spelled.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = spelled
        .parse::<civil::DateTime>()
        .or_else(|_| spelled.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)));
    Some(local.ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Given {
        let work = BTreeMap::from([("q".to_owned(), Some("a/b ä..".to_owned())), ("n".to_owned(), None)]);
        Given { since: Some("2026-01-02T03:04:05Z".to_owned()), work, ..Given::default() }
    }

    fn fill(pieces: &[Piece]) -> Result<Option<String>, Missing> {
        Pattern(pieces.to_vec()).fill(&given())
    }

    #[test]
    fn what_is_given_is_filled_in_in_the_form_that_is_asked_for() {
        let text = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(
            fill(&[Piece::Text("x=".to_owned()), Piece::Since(Time::Plain)]),
            text("x=2026-01-02T03:04:05Z")
        );
        assert_eq!(fill(&[Piece::Since(Time::Date)]), text("2026-01-02"));
        assert_eq!(fill(&[Piece::Since(Time::Unix)]), text("1767323045"));
        assert_eq!(fill(&[Piece::Since(Time::UnixMs)]), text("1767323045000"));
        assert_eq!(fill(&[Piece::Until(Time::Plain)]), Ok(None));
        let null = Err(Missing::Null { column: "n".to_owned() });
        assert_eq!(fill(&[Piece::Work("n".to_owned())]), null, "it is not as if it had not been named");
        assert_eq!(Piece::Work("n".to_owned()).value(&given()), Ok(None));
        assert!(matches!(fill(&[Piece::Work("other".to_owned())]), Err(Missing::Column { .. })));
    }

    #[test]
    fn in_a_path_nothing_leaves_its_segment() {
        let path = |value: &str| {
            let work = BTreeMap::from([("q".to_owned(), Some(value.to_owned()))]);
            let pattern = Pattern(vec![Piece::Text("/a/".to_owned()), Piece::Work("q".to_owned())]);
            pattern.fill_path(&Given { work, ..Given::default() })
        };
        let text = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(path("a/b ä?"), text("/a/a%2Fb%20%C3%A4%3F"));
        assert_eq!(path(".."), Err(Missing::Dots));
        assert_eq!(path("%2e%2E"), text("/a/%252e%252E"));
        assert_eq!(path("2026-01-02"), text("/a/2026-01-02"));
    }

    #[test]
    fn times_are_read_as_postgres_and_services_write_them() {
        let same = moment("2026-01-02T03:04:05Z");
        for text in ["2026-01-02 03:04:05+00", "2026-01-02 03:04:05", "2026-01-02T04:04:05+01:00"] {
            assert_eq!(moment(text), same, "{text}");
        }
        assert_eq!(moment("2026-01-02"), moment("2026-01-02T00:00:00Z"));
        assert!(moment("2026-01-02 03:04:05.123456+00").is_some());
        assert_eq!(moment("17"), None);
    }
}
