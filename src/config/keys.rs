//! The keys of one table: each is asked for once; what nobody asked for is a mistake.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use toml_edit::{Item, TableLike, Value};

use super::{
    Template, Text,
    mistake::{Collector, Place, did_you_mean},
    quantity,
};

/// A table of settings being read.
pub(super) struct Keys<'a> {
    pub(super) text: &'a Text,
    table: &'a dyn TableLike,
    /// Whose settings these are, for messages: `[warehouse]`, "table `orders`".
    owner: String,
    own_place: Place,
    asked: RefCell<Vec<&'static str>>,
    pub(super) mistakes: &'a Collector,
}

impl<'a> Keys<'a> {
    pub(super) fn new(
        text: &'a Text,
        item: &'a Item,
        owner: impl Into<String>,
        place: Place,
        mistakes: &'a Collector,
    ) -> Option<Self> {
        let owner = owner.into();
        match item.as_table_like() {
            Some(table) => {
                Some(Self { text, table, owner, own_place: place, asked: RefCell::default(), mistakes })
            }
            None => {
                mistakes.add(text.place(item.span()), format!("{owner} takes settings in braces"), None);
                None
            }
        }
    }

    /// The keys of a whole file.
    pub(super) fn of_file(text: &'a Text, mistakes: &'a Collector) -> Option<Self> {
        Self::new(text, text.document.as_item(), "the file", text.place(None), mistakes)
    }

    /// Where the table itself is.
    pub(super) fn place(&self) -> Place {
        self.own_place.clone()
    }

    /// `kind`: what it takes, as a mistake says it; docs/REFERENCE.md has it from here.
    fn get(&self, key: &'static str, kind: &dyn std::fmt::Display) -> Option<&'a Item> {
        #[cfg(test)]
        super::reference::note(&self.owner, &self.text.name, key, kind);
        let _ = kind;
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a key is there and has keys of its own.
    pub(super) fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Item::is_table_like)
    }

    /// Whether a key is there and is a string.
    pub(super) fn is_string(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Item::is_str)
    }

    /// The place of a key's name.
    pub(super) fn place_of(&self, key: &str) -> Place {
        match self.table.get_key_value(key) {
            Some((key, item)) => self.text.place(key.span().or(item.span())),
            None => self.place(),
        }
    }

    pub(super) fn wrong(&self, key: &str, what: impl std::fmt::Display) {
        self.say(key, what, None);
    }

    pub(super) fn wrong_with_hint(&self, key: &str, what: impl std::fmt::Display, hint: String) {
        self.say(key, what, Some(hint));
    }

    fn say(&self, key: &str, what: impl std::fmt::Display, hint: Option<String>) {
        let place = self.table.get(key).map_or_else(|| self.place(), |item| self.text.place(item.span()));
        self.mistakes.add(place, format!("`{key}` of {} {what}", self.owner), hint);
    }

    /// A mistake for a key that must be there.
    pub(super) fn missing(&self, key: &str, hint: &str) {
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        self.mistakes.add(self.place(), format!("{} needs `{key}`", self.owner), hint);
    }

    /// Reads a key by `read`, which answers `None` for a value of another kind.
    fn read<T>(&self, key: &'static str, kind: &str, read: impl FnOnce(&'a Item) -> Option<T>) -> Option<T> {
        let item = self.get(key, &kind)?;
        let value = read(item);
        if value.is_none() {
            self.wrong(key, format_args!("is {}, not {kind}", article(item.type_name())));
        }
        value
    }

    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        let text = self.read(key, "a string", |item| item.as_str().map(str::to_owned))?;
        match text.trim().is_empty() || text.contains('\0') {
            true => {
                self.wrong(key, "is empty or holds a NUL");
                None
            }
            false => Some(text),
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", Item::as_bool)
    }

    /// A whole number within `range`.
    pub(super) fn number(&self, key: &'static str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let kind = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.read(key, &kind, Item::as_integer)?;
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.wrong(key, format_args!("is {number}, not from {} to {}", range.start(), range.end()));
                None
            }
        }
    }

    /// A text with variables.
    pub(super) fn template(&self, key: &'static str) -> Option<Template> {
        let item = self.get(key, &"a string, with `${NAME}` as you like")?;
        let place = self.text.place(item.span());
        match item.as_str().map(|text| Template::parse(text, place)) {
            Some(Ok(template)) => Some(template),
            Some(Err(what)) => {
                self.wrong(key, what);
                None
            }
            None => {
                self.wrong(key, format_args!("is {}, not a string", article(item.type_name())));
                None
            }
        }
    }

    /// Texts with variables, by name.
    pub(super) fn templates(&self, key: &'static str) -> Vec<(String, Template)> {
        let mut templates = Vec::new();
        for (name, place, item) in self.named(key) {
            match item.as_str().map(|text| Template::parse(text, place)) {
                Some(Ok(template)) => templates.push((name, template)),
                Some(Err(what)) => self.wrong(key, format_args!("under `{name}` {what}")),
                None => self.wrong(key, format_args!("has no string under `{name}`")),
            }
        }
        templates
    }

    /// A string that the caller takes apart; `kind` says what it is.
    pub(super) fn text_of(&self, key: &'static str, kind: &str) -> Option<&'a str> {
        self.read(key, kind, |item| item.as_str())
    }

    /// A JSONPath, not looked at.
    pub(super) fn json_path(&self, key: &'static str) -> Option<String> {
        self.read(key, "a JSONPath", |item| item.as_str().map(str::to_owned))
    }

    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.parsed(key, "a time span like `30m` or `2 hours`", quantity::duration)
    }

    /// A time span, or the word `off`.
    pub(super) fn duration_or_off(&self, key: &'static str) -> Option<Option<Duration>> {
        let parse = |text: &str| match text {
            "off" => Some(None),
            text => quantity::duration(text).map(Some),
        };
        self.parsed(key, "a time span like `24h`, or `off`", parse)
    }

    /// A share, from 0 to 1.
    pub(super) fn share(&self, key: &'static str) -> Option<f64> {
        self.parsed(key, "a share like `5 %`", quantity::share)
    }

    /// A size in bytes.
    pub(super) fn size(&self, key: &'static str) -> Option<u64> {
        self.parsed(key, "a size like `20 GB`", quantity::size)
    }

    /// One of a few words.
    pub(super) fn choice<T: Clone>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let names = names.join(", ");
        let item = self.get(key, &names)?;
        let word = item.as_str().unwrap_or_default();
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(choice.clone());
        }
        let message = format!("`{key}` of {} is none of {names}", self.owner);
        let hint = did_you_mean(word, choices.iter().map(|(name, _)| *name));
        self.mistakes.add(self.text.place(item.span()), message, hint);
        None
    }

    pub(super) fn parsed<T>(&self, key: &'static str, kind: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let text = self.read(key, kind, |item| item.as_str())?;
        let value = parse(text);
        if value.is_none() {
            self.wrong(key, format_args!("is not {kind}"));
        }
        value
    }

    /// A list of strings; empty where the key is not there.
    pub(super) fn strings(&self, key: &'static str) -> Vec<String> {
        self.strings_or_none(key).unwrap_or_default()
    }

    pub(super) fn strings_or_none(&self, key: &'static str) -> Option<Vec<String>> {
        self.read(key, "a list of strings", |item| strings(item.as_value()?))
    }

    /// A list of strings and of lists of strings: each alone, or together.
    pub(super) fn strings_or_lists(&self, key: &'static str) -> Vec<Vec<String>> {
        let one = |value: &Value| match value.as_str() {
            Some(text) => Some(vec![text.to_owned()]),
            None => strings(value).filter(|list| !list.is_empty()),
        };
        let lists = |item: &Item| item.as_array()?.iter().map(one).collect();
        self.read(key, "a list of names", lists).unwrap_or_default()
    }

    /// A key's value, for who reads it by himself.
    pub(super) fn item(&self, key: &'static str) -> Option<&'a Item> {
        self.get(key, &"a value")
    }

    /// A list of lists of strings.
    pub(super) fn string_lists(&self, key: &'static str) -> Vec<Vec<String>> {
        let lists = |item: &Item| item.as_array()?.iter().map(strings).collect();
        self.read(key, "a list of lists of strings", lists).unwrap_or_default()
    }

    /// A table whose keys are names.
    pub(super) fn named(&self, key: &'static str) -> Vec<(String, Place, &'a Item)> {
        let Some(item) = self.get(key, &"a table whose keys are names") else { return Vec::new() };
        let Some(table) = item.as_table_like() else {
            self.wrong(key, "takes a table");
            return Vec::new();
        };
        let entry = |(name, item): (&'a str, &'a Item)| {
            let span = table.key(name).and_then(toml_edit::Key::span).or(item.span());
            (name.to_owned(), self.text.place(span), item)
        };
        table.iter().map(entry).collect()
    }

    /// A table with keys of its own.
    pub(super) fn table(&self, key: &'static str) -> Option<Keys<'a>> {
        let item = self.get(key, &"a table of keys")?;
        let owner = match self.owner.as_str() {
            "the file" => format!("[{key}]"),
            owner => format!("`{key}` of {owner}"),
        };
        Keys::new(self.text, item, owner, self.place_of(key), self.mistakes)
    }

    /// Texts by name.
    pub(super) fn texts(&self, key: &'static str) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, _, item) in self.named(key) {
            match item.as_str() {
                Some(text) => {
                    texts.insert(name, text.to_owned());
                }
                None => self.wrong(key, format_args!("has no string under `{name}`")),
            }
        }
        texts
    }

    /// Privileges and the roles that get them, and other maps of lists.
    pub(super) fn lists_by_name(&self, key: &'static str) -> BTreeMap<String, Vec<String>> {
        let mut lists = BTreeMap::new();
        for (name, _, item) in self.named(key) {
            match item.as_value().and_then(strings) {
                Some(list) => {
                    lists.insert(name, list);
                }
                None => self.wrong(key, format_args!("has no list of strings under `{name}`")),
            }
        }
        lists
    }

    /// Says that a key is known, without reading it.
    pub(super) fn know(&self, key: &'static str) {
        self.asked.borrow_mut().push(key);
    }

    /// Ends the reading: whatever nobody asked for is unknown.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, item) in self.table.iter() {
            if asked.contains(&key) {
                continue;
            }
            let span = self.table.key(key).and_then(toml_edit::Key::span).or(item.span());
            let hint = did_you_mean(key, asked.iter().copied());
            self.mistakes.add(self.text.place(span), format!("unknown key `{key}` for {}", self.owner), hint);
        }
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

fn article(kind: &str) -> String {
    match kind.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
