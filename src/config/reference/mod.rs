//! Every key of a project, for docs/REFERENCE.md: which there are and what each takes is noted while projects are read that have
//! something of everything; what each is, [`keys`] says. The two are held against each other, and defaults are tried.

mod keys;
mod project;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use self::keys::{FILES, Section};

/// What one was asked for, by whom, and what it may be.
type Noted = BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>>;

thread_local! {
    static NOTED: RefCell<Noted> = RefCell::default();
}

/// Notes that a key is known, and what it takes.
pub(super) fn note(owner: &str, file: &str, key: &'static str, kind: &dyn std::fmt::Display) {
    let owner = if owner == "the file" { format!("the file {file}") } else { owner.to_owned() };
    NOTED.with_borrow_mut(|noted| {
        noted.entry(owner).or_default().entry(key).or_default().insert(kind.to_string());
    });
}

/// All keys that there are.
fn noted() -> Noted {
    NOTED.take();
    project::read_all();
    NOTED.take()
}

fn sections() -> impl Iterator<Item = &'static Section> {
    FILES.iter().flat_map(|(_, _, sections)| *sections)
}

impl Section {
    /// Its own keys and those that it shares.
    fn all(&self) -> BTreeMap<&'static str, &'static Self> {
        let others = self.shared.iter().filter_map(|title| sections().find(|other| other.title == *title));
        let of = |section: &'static Self| section.keys.iter().map(move |(key, _, _)| (*key, section));
        let own = sections().find(|other| other.title == self.title);
        let all = others.flat_map(of).chain(own.into_iter().flat_map(of));
        all.filter(|(key, _)| !self.without.contains(key)).collect()
    }

    /// What a key takes.
    fn takes(&self, key: &str, noted: &Noted) -> String {
        if let Some((_, takes)) = self.takes.iter().find(|(name, _)| *name == key) {
            return (*takes).to_owned();
        }
        let has_it = |section: &&Self| section.title == self.title || section.shared.contains(&self.title);
        let owners = sections().filter(has_it).flat_map(|section| section.owners);
        let kinds: BTreeSet<&str> =
            owners.filter_map(|owner| noted.get(*owner)?.get(key)).flatten().map(String::as_str).collect();
        let words = kinds.into_iter().map(|kind| {
            // What a time span looks like is told once.
            let kind = kind.split(" like ").next().unwrap_or(kind);
            kind.strip_prefix("a ").unwrap_or(kind).replace(", with `${NAME}` as you like", " with variables")
        });
        words.collect::<Vec<_>>().join(" or ")
    }
}

/// All of it, as Markdown.
pub(crate) fn markdown() -> String {
    let noted = noted();
    let mut text = String::new();
    for (file, about, sections) in FILES {
        let _ = write!(text, "## {file}\n\n{about}\n\n");
        for section in sections {
            let _ = write!(text, "### {}\n\n", section.title);
            if !section.about.is_empty() {
                let _ = write!(text, "{}\n\n", section.about);
            }
            text.push_str("| key | takes | default | is |\n| --- | --- | --- | --- |\n");
            for (key, default, is) in section.keys {
                let takes = section.takes(key, &noted).replace('|', "\\|");
                let _ = writeln!(text, "| `{key}` | {takes} | {default} | {is} |");
            }
            for title in section.shared {
                let slug = title.to_lowercase().replace(' ', "-").replace([',', '\''], "");
                let _ = write!(text, "\nAnd: [{}](#{slug}).\n", title.to_lowercase());
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn every_key_that_is_read_is_described_and_no_other() {
    let noted = noted();
    let mut wrong = Vec::new();
    for (owner, keys) in &noted {
        let Some(section) = sections().find(|section| section.owners.contains(&owner.as_str())) else {
            // What is said of one column or privilege has no keys of its own.
            wrong.push(format!("no section is about {owner}, which has {:?}", keys.keys()));
            continue;
        };
        let all = section.all();
        wrong.extend(
            keys.keys()
                .filter(|key| !all.contains_key(*key))
                .map(|key| format!("`{key}` of {owner} is not described")),
        );
    }
    for section in sections() {
        let read: BTreeSet<&str> = section
            .owners
            .iter()
            .filter_map(|owner| noted.get(*owner))
            .flat_map(|keys| keys.keys().copied())
            .collect();
        let shared_alone = section.owners.is_empty();
        wrong.extend(
            section
                .all()
                .keys()
                .filter(|key| !shared_alone && !read.contains(*key))
                .map(|key| format!("`{key}` of {} is read by nobody", section.title)),
        );
        wrong.extend(
            section
                .owners
                .iter()
                .filter(|owner| !noted.contains_key(**owner))
                .map(|owner| format!("{owner} is not there")),
        );
        for (key, _, _) in section.keys {
            if section.takes(key, &noted).is_empty() {
                wrong.push(format!("nobody says what `{key}` of {} takes", section.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\nsrc/config/reference/keys.rs says what each is");
}

/// A default in backticks, written down, changes nothing, whichever warehouse it is.
#[test]
fn defaults_are_what_holds_where_nothing_is_written() {
    let mut tried = 0;
    let all = sections().flat_map(|section| section.keys.iter().map(move |key| (section, key)));
    for (section, (key, default, _)) in all {
        let literal = default.strip_prefix('`').and_then(|word| word.strip_suffix('`'));
        // One in brackets names another section's key.
        let Some(word) = literal.filter(|word| !word.contains('`') && !word.starts_with('[')) else {
            continue;
        };
        let Some(marker) = project::marker(section.title) else { continue };
        let is_text = word.parse::<f64>().is_err() && !matches!(word, "true" | "false");
        let line = if is_text { format!("{key} = {word:?}") } else { format!("{key} = {word}") };
        let mut taken = 0;
        for warehouse in 0..project::WAREHOUSES.len() {
            let variant = project::Variant { warehouse, ..Default::default() };
            let without = project::read(&variant).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            // Not every warehouse takes every key.
            let Ok(with) = project::read(&project::Variant { marker, line: line.clone(), ..variant }) else {
                continue;
            };
            let differs = without.bytes().zip(with.bytes()).position(|(one, other)| one != other);
            let near = |text: &str, at: usize| {
                text.get(at.saturating_sub(30)..).map(|text| text.chars().take(80).collect::<String>())
            };
            assert!(
                without == with,
                "`{line}` of {} is not its default: {:?}, {:?}",
                section.title,
                near(&without, differs.unwrap_or_default()),
                near(&with, differs.unwrap_or_default()),
            );
            taken += 1;
        }
        assert!(taken > 0, "`{line}` of {} is a mistake", section.title);
        tried += 1;
    }
    assert!(tried > 30, "{tried} defaults were tried");
}
