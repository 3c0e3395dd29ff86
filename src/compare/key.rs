//! A key's values as one text.

use std::fmt;

/// A key, as Postgres writes a row of its values: `(1,"two words",)`. It is a row's value: shown only to
/// who asks for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// A key from the text of a row.
    pub fn new(record: impl Into<String>) -> Self {
        Self(record.into())
    }

    /// The whole text, for people who asked for it.
    pub fn as_record(&self) -> &str {
        &self.0
    }

    /// The values one by one, as text.
    ///
    /// What Postgres writes is defined by `record_out`: fields between commas, nothing at all for
    /// NULL, and quotes, in which quotes and backslashes are doubled, where a field needs them.
    pub fn values(&self) -> Vec<Option<String>> {
        let inner = self.0.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(&self.0);
        let mut values = Vec::new();
        let mut value: Option<String> = None;
        let mut in_quotes = false;
        let mut characters = inner.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' if in_quotes && characters.next_if_eq(&'"').is_none() => in_quotes = false,
                '"' if !in_quotes => {
                    in_quotes = true;
                    value.get_or_insert_default();
                }
                ',' if !in_quotes => values.push(value.take()),
                '\\' => value.get_or_insert_default().extend(characters.next()),
                character => value.get_or_insert_default().push(character),
            }
        }
        values.push(value);
        values
    }
}

/// Never the values: a log line with a key in it must not tell them.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_as_the_server_wrote_them() {
        let cases: &[(&str, &[Option<&str>])] = &[
            ("(1)", &[Some("1")]),
            ("()", &[None]),
            ("(,)", &[None, None]),
            ("(\"\",)", &[Some(""), None]),
            ("(1,\"two words\",x)", &[Some("1"), Some("two words"), Some("x")]),
            (
                r#"("a,b","(c)","say ""hi""","back\\slash")"#,
                &[Some("a,b"), Some("(c)"), Some("say \"hi\""), Some("back\\slash")],
            ),
            (r#"("""","\\","\\""")"#, &[Some("\""), Some("\\"), Some("\\\"")]),
        ];
        for (record, values) in cases {
            let values: Vec<Option<String>> = values.iter().map(|value| value.map(str::to_owned)).collect();
            assert_eq!(Key::new(*record).values(), values, "{record}");
        }
    }

    #[test]
    fn a_key_in_a_message_tells_nothing() {
        assert_eq!(format!("{:?}", Key::new("(secret)")), "Key(…)");
    }
}
