//! A table of a service: what is asked for it.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    BodyPattern, Given, Media, Missing, Pattern, Request, Target,
    body::filled,
    collect::{Query, Question},
    given::{moment, moment_in},
    paging::{Kind, Paging, Window, Windows, WindowsError},
};
use crate::{
    error::{Class, Fault},
    fingerprint,
    sql::TableName,
};

/// What is asked for a table.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The table's name as a source's.
    pub name: TableName,
    /// `GET`, or `POST`.
    pub method: String,
    /// Below the source's url.
    pub path: Pattern,
    /// Parameters of the query, in their order; one of which something is not given is left out.
    pub parameters: Vec<(String, Pattern)>,
    /// Headers beside those of the source; they may be secrets and stand in no stage.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<BodyPattern>,
    /// How answers are written.
    pub media: Media,
    /// What leads from one page to the next.
    pub paging: Paging,
    /// How time is cut.
    pub windows: Option<Windows>,
    /// From when on, where there is no watermark.
    pub from: Option<Timestamp>,
    /// How values of its cursor are written for the service.
    pub cursor: CursorForm,
    /// How many records an answer 404 has; `None`: it is an error.
    pub records_of_missing: Option<u64>,
    /// A query that fails for good is kept, and the others go on.
    pub keeps_failed: bool,
}

/// How values of a cursor are written for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CursorForm {
    /// As they are.
    #[default]
    Plain,
    /// A moment, in RFC 3339 and UTC.
    Moment,
    /// A local time, in RFC 3339 without a zone; within windows it is read as one of theirs, and a moment is written.
    Local,
    /// A day.
    Date,
}

/// Which rows are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The cursor's value from which on, as the ledger has it; `None`: all.
    pub since: Option<String>,
    /// The value before which they end; `None`: now.
    pub until: Option<String>,
    /// When the load begins.
    pub now: Timestamp,
}

/// What cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskedError {
    /// Something that is put into a request is not there.
    #[error("{table}: {missing}")]
    Missing {
        /// The table.
        table: TableName,
        /// What.
        missing: Missing,
    },
    /// A path without what belongs into it.
    #[error("{table}: what `path` is filled with is not known yet")]
    Path {
        /// The table.
        table: TableName,
    },
    /// Windows that begin nowhere.
    #[error("{table}: its `windows` begin nowhere: there is no watermark yet, and no `from`")]
    NoFrom {
        /// The table.
        table: TableName,
    },
    /// Windows of what is no time.
    #[error("{table}: its `windows` are of time, and its cursor's values are none")]
    NoTime {
        /// The table.
        table: TableName,
    },
    /// Too many windows.
    #[error("{table}: {error}")]
    Windows {
        /// The table.
        table: TableName,
        /// Why.
        error: WindowsError,
    },
}

impl AskedError {
    /// Why no request can be made of this row of work; `None`: it is no matter of one row.
    pub(crate) fn of_row(&self) -> Option<&Missing> {
        match self {
            Self::Missing { missing: missing @ (Missing::Null { .. } | Missing::Dots), .. } => Some(missing),
            _ => None,
        }
    }
}

impl Fault for AskedError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Path { .. } | Self::NoFrom { .. } => {
                Some("`from = \"2024-01-01\"` says where to begin".to_owned())
            }
            Self::Windows { .. } => Some("longer `windows`, or a later `from`".to_owned()),
            Self::Missing { missing: Missing::Column { .. }, .. } => {
                Some("`work` selects the columns that the request names".to_owned())
            }
            Self::Missing { missing: Missing::Null { .. } | Missing::Dots, .. } => {
                Some("`work` leaves such rows out by its WHERE".to_owned())
            }
            Self::Missing { .. } | Self::NoTime { .. } => None,
        }
    }
}

fn in_words(request: &Request) -> String {
    let (Target::Path(target) | Target::Url(target)) = &request.target;
    format!("{} {target}", request.method)
}

impl Asked {
    /// The queries that bring a span, in their order.
    pub fn queries(&self, span: &Span) -> Result<Vec<Query>, AskedError> {
        self.givens(span)?.into_iter().map(|given| self.query(given)).collect()
    }

    /// The query with this put into it.
    pub fn query(&self, given: Given) -> Result<Query, AskedError> {
        let missing = |missing| AskedError::Missing { table: self.name.clone(), missing };
        let path = self.path.fill_path(&given).map_err(missing)?;
        let path = path.ok_or_else(|| AskedError::Path { table: self.name.clone() })?;
        let request = Request {
            method: self.method.clone(),
            target: Target::Path(path),
            query: filled(&self.parameters, &given).map_err(missing)?,
            headers: Vec::new(),
            body: self.body.as_ref().map(|body| body.fill(&given)).transpose().map_err(missing)?,
            media: self.media,
        };
        Ok(Query { request, given })
    }

    /// How a question that was asked differs from what would be asked for the same now: the two requests in words.
    /// Pages and how an answer is written make no difference, they bring the same records.
    pub fn differs(&self, question: &Question) -> Option<(String, String)> {
        let mut pairs = question.queries.iter().map(|then| (then, self.query(then.given.clone())));
        pairs.find_map(|(then, now)| {
            let Ok(now) = now else { return Some((in_words(&then.request), "another one".to_owned())) };
            let now = Request { media: then.request.media, ..now.request };
            if now == then.request {
                return None;
            }
            let (then, now) = (in_words(&then.request), in_words(&now));
            // Parameters may hold what is nobody's business.
            Some(if then == now { (then, format!("{now} with other parameters")) } else { (then, now) })
        })
    }

    /// What would be asked from a value of the cursor on: `would ask GET /rates/{date}, 3 windows from 2026-11-27, …`.
    pub fn in_words(&self, since: Option<&str>, now: Timestamp) -> String {
        let mut words = format!("would ask {} {}", self.method, self.path);
        let span = Span { since: since.map(str::to_owned), until: None, now };
        match (self.queries(&span), &self.windows) {
            // What a row of work holds is known only when it is read.
            (Err(AskedError::Missing { .. }), _) if self.keeps_failed => {
                words += ", once for each row of work";
            }
            (Ok(queries), Some(_)) => {
                let windows = if queries.len() == 1 { "window" } else { "windows" };
                let first = queries.first().and_then(|query| query.given.since.clone()).unwrap_or_default();
                words = format!("{words}, {} {windows} from {first}", queries.len());
            }
            (Ok(queries), None) => {
                let since = queries.first().and_then(|query| query.given.since.as_ref());
                let since = since.map_or_else(|| "all of it".to_owned(), |since| format!("from {since} on"));
                words = format!("{words}, {since}");
            }
            (Err(error), _) => words = format!("{words}: {error}"),
        }
        match &self.paging.kind {
            Kind::None => words,
            Kind::Link => words + ", page by page as the header `Link` leads",
            Kind::Next(path) => words + &format!(", page by page as `{}` leads", path.text()),
            Kind::Cursor { at, .. } => words + &format!(", page by page by the cursor at `{}`", at.text()),
            Kind::Page { .. } => words + ", page by page by number",
            Kind::Offset { .. } => words + ", page by page by offset",
        }
    }

    /// A fingerprint of what is asked, for as long as a collection can be gone on with.
    pub fn fingerprint(&self, span: &Span) -> String {
        let Self { method, path, parameters, body, media, paging, windows, from, .. } = self;
        let asked = format!("{method} {path:?} {parameters:?} {body:?} {media:?} {windows:?} {from:?}");
        let paging = format!("{paging:?}");
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        fingerprint::of([self.name.to_string(), asked, paging, value(&span.since), value(&span.until)])
    }

    fn givens(&self, span: &Span) -> Result<Vec<Given>, AskedError> {
        let Some(windows) = &self.windows else {
            let from = self.from.map(|from| self.moment(from));
            let since = span.since.as_deref().map(|since| self.written(since)).or(from);
            let until = match &span.until {
                Some(until) => self.written(until),
                None => self.moment(span.now),
            };
            return Ok(vec![Given { since, until: Some(until), ..Given::default() }]);
        };
        let table = || self.name.clone();
        let time = |text: &String| {
            moment_in(text, &windows.zone).ok_or_else(|| AskedError::NoTime { table: table() })
        };
        let since = span.since.as_ref().map(time).transpose()?.or(self.from);
        let since = since.ok_or_else(|| AskedError::NoFrom { table: table() })?;
        let until = span.until.as_ref().map(time).transpose()?.unwrap_or(span.now);
        let cut = windows.cut(since, until, span.until.is_none());
        let cut = cut.map_err(|error| AskedError::Windows { table: table(), error })?;
        let day = |moment: Timestamp| moment.to_zoned(windows.zone.clone()).date().to_string();
        let given = |window: Window| Given {
            days: (windows.zone != TimeZone::UTC).then(|| (day(window.since), day(window.until))),
            since: Some(self.in_zone(window.since, &windows.zone)),
            until: Some(self.in_zone(window.until, &windows.zone)),
            date: Some(day(window.since)),
            ..Given::default()
        };
        Ok(cut.into_iter().map(given).collect())
    }

    /// A value of the cursor as the service is given it.
    fn written(&self, value: &str) -> String {
        match self.cursor {
            CursorForm::Plain | CursorForm::Date => value.to_owned(),
            CursorForm::Moment => moment(value).map_or_else(|| value.to_owned(), |moment| moment.to_string()),
            CursorForm::Local => value.replacen(' ', "T", 1),
        }
    }

    fn moment(&self, moment: Timestamp) -> String {
        self.in_zone(moment, &TimeZone::UTC)
    }

    fn in_zone(&self, moment: Timestamp, zone: &TimeZone) -> String {
        match self.cursor {
            CursorForm::Date => moment.to_zoned(zone.clone()).date().to_string(),
            CursorForm::Plain | CursorForm::Moment | CursorForm::Local => moment.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::http::{Piece, Time};

    fn asked() -> Asked {
        Asked {
            name: TableName::new("fx", "rates"),
            method: "GET".to_owned(),
            path: Pattern(vec![Piece::Text("/rates".to_owned())]),
            parameters: vec![
                ("from".to_owned(), Pattern(vec![Piece::Since(Time::Plain)])),
                ("base".to_owned(), Pattern(vec![Piece::Text("EUR".to_owned())])),
            ],
            headers: vec![("x-key".to_owned(), "s3cret".to_owned())],
            body: None,
            media: Media::Json,
            paging: Paging::default(),
            windows: None,
            from: None,
            cursor: CursorForm::Moment,
            records_of_missing: None,
            keeps_failed: false,
        }
    }

    fn span(since: Option<&str>) -> Span {
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        Span { since: since.map(str::to_owned), until: None, now }
    }

    #[test]
    fn the_first_time_all_is_asked_for_and_then_what_is_new() {
        let query = |since| asked().queries(&span(since)).unwrap().remove(0).request;
        assert_eq!(query(None).query, [("base".to_owned(), "EUR".to_owned())]);
        let later = query(Some("2026-11-28 12:00:00.5+00"));
        assert_eq!(later.query[0], ("from".to_owned(), "2026-11-28T12:00:00.5Z".to_owned()));
        assert!(later.headers.is_empty(), "they stand in no stage");
        let from = Asked { from: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..asked() };
        let first = from.queries(&span(None)).unwrap().remove(0);
        assert_eq!(first.given.since.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(first.given.until.as_deref(), Some("2026-11-29T10:00:00Z"));
    }

    #[test]
    fn each_window_is_a_query() {
        let windows = Windows { length: Duration::from_secs(86_400), zone: TimeZone::UTC, with_today: true };
        let path = Pattern(vec![Piece::Text("/rates/".to_owned()), Piece::Date]);
        let by_day = Asked { windows: Some(windows), path, cursor: CursorForm::Date, ..asked() };
        let paths = |since| -> Result<Vec<Target>, AskedError> {
            Ok(by_day.queries(&span(since))?.into_iter().map(|query| query.request.target).collect())
        };
        let day = |day: &str| Target::Path(format!("/rates/{day}"));
        assert_eq!(paths(Some("2026-11-28")), Ok(vec![day("2026-11-28"), day("2026-11-29")]));
        assert!(matches!(paths(None), Err(AskedError::NoFrom { .. })));
        assert!(matches!(paths(Some("x")), Err(AskedError::NoTime { .. })));
    }

    #[test]
    fn in_another_zone_days_and_local_times_are_those_of_the_zone() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let windows = Windows { length: Duration::from_secs(86_400), zone, with_today: true };
        let parameters = vec![
            ("from".to_owned(), Pattern(vec![Piece::Since(Time::Date)])),
            ("to".to_owned(), Pattern(vec![Piece::Until(Time::Date)])),
            ("at".to_owned(), Pattern(vec![Piece::Since(Time::Plain)])),
        ];
        let asked = Asked { windows: Some(windows), parameters, ..asked() };
        let first = |asked: &Asked, since: &str| {
            let now = "2026-11-29T07:30:00Z".parse().unwrap();
            let span = Span { since: Some(since.to_owned()), until: None, now };
            let query = asked.queries(&span).unwrap().into_iter().next();
            query.map(|query| query.request.query.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
        };
        let today = vec!["2026-11-29".to_owned(), "2026-11-30".to_owned(), "2026-11-28T15:00:00Z".to_owned()];
        assert_eq!(first(&asked, "2026-11-29 06:20:00+00"), Some(today.clone()));
        // 15:20 there is no moment of tomorrow.
        let local = Asked { cursor: CursorForm::Local, ..asked };
        assert_eq!(first(&local, "2026-11-29 15:20:00"), Some(today));
        let without = Asked { windows: None, ..local };
        assert_eq!(without.written("2026-11-29 15:20:00"), "2026-11-29T15:20:00");
    }

    #[test]
    fn what_would_be_asked_is_told_without_asking() {
        let now = span(None).now;
        assert_eq!(asked().in_words(None, now), "would ask GET /rates, all of it");
        let linked = Asked { paging: Paging { kind: Kind::Link, ..Paging::default() }, ..asked() };
        let words = linked.in_words(Some("2026-11-28 12:00:00+00"), now);
        assert_eq!(
            words,
            "would ask GET /rates, from 2026-11-28T12:00:00Z on, page by page as the header `Link` leads"
        );
        let windows = Windows { length: Duration::from_secs(86_400), zone: TimeZone::UTC, with_today: true };
        let by_day = Asked { windows: Some(windows), cursor: CursorForm::Date, ..asked() };
        assert_eq!(
            by_day.in_words(Some("2026-11-27"), now),
            "would ask GET /rates, 3 windows from 2026-11-27"
        );
        assert!(by_day.in_words(None, now).contains("begin nowhere"));
    }

    #[test]
    fn answers_of_another_request_are_known_as_such() {
        let span = span(Some("2026-11-28"));
        let question = Question::now("c".to_owned(), String::new(), asked().queries(&span).unwrap());
        assert_eq!(asked().differs(&question), None);
        let paged = Paging { kind: Kind::Link, ..Paging::default() };
        assert_eq!(Asked { paging: paged, media: Media::Csv, ..asked() }.differs(&question), None);
        let path = Pattern(vec![Piece::Text("/v2".to_owned())]);
        let words = |then: &str, now: &str| Some((then.to_owned(), now.to_owned()));
        assert_eq!(Asked { path, ..asked() }.differs(&question), words("GET /rates", "GET /v2"));
        let other = Asked { parameters: Vec::new(), ..asked() };
        assert_eq!(other.differs(&question), words("GET /rates", "GET /rates with other parameters"));
    }

    #[test]
    fn another_question_has_another_fingerprint() {
        let other = Asked { parameters: Vec::new(), ..asked() };
        assert_ne!(asked().fingerprint(&span(None)), other.fingerprint(&span(None)));
        assert_ne!(asked().fingerprint(&span(None)), asked().fingerprint(&span(Some("1"))));
        let now = Span { now: "2026-11-30T10:00:00Z".parse().unwrap(), ..span(None) };
        assert_eq!(asked().fingerprint(&now), asked().fingerprint(&span(None)), "it is gone on with later");
    }
}
