//! Texts of a request with names in braces: `/rates/{date}`, `{since}`, `{work.address}`.

/// A text with names in it, for which something is put in each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPattern {
    /// As it is written.
    pub text: String,
    /// Its pieces, in their order.
    pub pieces: Vec<HttpPiece>,
}

/// A piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpPiece {
    /// As it stands.
    Text(String),
    /// From where on rows are asked for: the watermark less `overlap`, or where the window begins.
    Since(HttpTime),
    /// Where the window ends; without windows the moment at which the load began.
    Until(HttpTime),
    /// The window's day.
    Date,
    /// A column of the work's row.
    Work(String),
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpTime {
    /// As the cursor's column has it; times as RFC 3339 in UTC.
    Plain,
    /// `2026-11-29`.
    Date,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
}

const TIMES: [(&str, HttpTime); 3] =
    [("date", HttpTime::Date), ("unix", HttpTime::Unix), ("unix_ms", HttpTime::UnixMs)];

/// What a mistake about a name says that there is.
pub(super) const NAMES: &str = "there are {since}, {until}, {date} and {work.COLUMN}; {since} and {until} also as {since.date}, {since.unix}, \
     {since.unix_ms}; a brace itself is written {{ or }}";

impl HttpPattern {
    /// Reads one; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("has a `}` without its `{`".to_owned());
            }
            let Some((name, after)) = rest.split_once('}') else {
                return Err("has a `{` without its `}`".to_owned());
            };
            let piece =
                HttpPiece::of(name).ok_or_else(|| format!("has `{{{name}}}`, which stands for nothing"))?;
            if !plain.is_empty() {
                pieces.push(HttpPiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(HttpPiece::Text(plain));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// Whether `is` holds of one of its names.
    pub(super) fn has(&self, is: fn(&HttpPiece) -> bool) -> bool {
        self.pieces.iter().any(is)
    }
}

impl HttpPiece {
    fn of(name: &str) -> Option<Self> {
        let (first, form) = name.split_once('.').map_or((name, None), |(first, form)| (first, Some(form)));
        let time = || match form {
            None => Some(HttpTime::Plain),
            Some(form) => TIMES.iter().find(|(name, _)| *name == form).map(|(_, time)| *time),
        };
        match first {
            "since" => time().map(Self::Since),
            "until" => time().map(Self::Until),
            "date" if form.is_none() => Some(Self::Date),
            "work" => form.filter(|column| !column.is_empty()).map(|column| Self::Work(column.to_owned())),
            _ => None,
        }
    }

    pub(super) fn is_since(&self) -> bool {
        matches!(self, Self::Since(_))
    }

    pub(super) fn is_window(&self) -> bool {
        matches!(self, Self::Since(_) | Self::Date)
    }

    pub(super) fn is_date(&self) -> bool {
        matches!(self, Self::Date)
    }

    pub(super) fn is_work(&self) -> bool {
        matches!(self, Self::Work(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_pieces_and_doubled_braces_are_braces() {
        let pieces = |text: &str| HttpPattern::parse(text).map(|pattern| pattern.pieces);
        let text = |text: &str| HttpPiece::Text(text.to_owned());
        assert_eq!(pieces("/rates/{date}"), Ok(vec![text("/rates/"), HttpPiece::Date]));
        assert_eq!(pieces("{since.unix_ms}"), Ok(vec![HttpPiece::Since(HttpTime::UnixMs)]));
        assert_eq!(pieces("{{{work.a b}}}"), Ok(vec![text("{"), HttpPiece::Work("a b".into()), text("}")]));
        assert_eq!(pieces(""), Ok(vec![]));
        for wrong in ["{sinse}", "{since", "since}", "{}", "{date.unix}", "{since.week}", "{work}", "{work.}"]
        {
            assert!(pieces(wrong).is_err(), "{wrong}");
        }
    }
}
