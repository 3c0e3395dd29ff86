//! A walk from page to page.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::{Kind, Paging, PagingError, glance::Found, link, next};
use crate::source::http::{Answer, Request};

/// What follows an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another page.
    Ask(Request),
    /// That was the last one.
    End,
}

/// One query's pages, as far as they have come.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    paging: &'a Paging,
    /// The request whose answer is awaited.
    awaited: Request,
    /// What was asked, by its hash.
    asked: HashSet<[u8; 16]>,
    last_body: Option<[u8; 16]>,
    /// The bodies with records so far, by their hash.
    bodies: HashSet<[u8; 16]>,
    pages: u64,
    records: u64,
    /// Whether the last answer said that more follows, where services say so.
    promised: Option<bool>,
    /// What the first and the last page said of the total.
    totals: Option<(u64, u64)>,
    /// Whether a page had the field that leads to the next one, where a field does.
    is_led: Option<bool>,
}

impl<'a> Walk<'a> {
    /// Begins: `request` without what tells pages apart.
    pub fn begin(paging: &'a Paging, mut request: Request) -> Result<Self, PagingError> {
        match &paging.kind {
            Kind::Page { parameter, first, size } => {
                next::set(&mut request, parameter, &first.to_string(), true)?;
                say_size(&mut request, size.as_ref())?;
            }
            Kind::Offset { parameter, size } => {
                next::set(&mut request, parameter, "0", true)?;
                say_size(&mut request, size.as_ref())?;
            }
            Kind::None | Kind::Link | Kind::Next(_) | Kind::Cursor { .. } => {}
        }
        let asked = HashSet::from([hash_of(&request)]);
        let is_led = paging.kind.path().map(|_| false);
        Ok(Self {
            paging,
            awaited: request,
            asked,
            last_body: None,
            bodies: HashSet::new(),
            pages: 0,
            records: 0,
            promised: None,
            totals: None,
            is_led,
        })
    }

    /// The request whose answer is awaited.
    pub fn awaited(&self) -> &Request {
        &self.awaited
    }

    /// How many pages have come.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// How many records have come.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many records there should be, by the last page that said so.
    pub fn total(&self) -> Option<u64> {
        self.totals.map(|(_, last)| last)
    }

    /// Whether records came, and no page had the field that leads to the next one: nobody can tell the last page of a
    /// service that leaves it out from a name that is wrong.
    pub fn is_unled(&self) -> bool {
        let is_unsaid = self.promised.is_none() && self.totals.is_none();
        self.is_led == Some(false) && self.records > 0 && is_unsaid
    }

    /// Takes the awaited answer, in which there are so many records.
    pub fn take(&mut self, answer: &Answer, records: u64) -> Result<Step, PagingError> {
        self.pages += 1;
        self.records += records;
        let page = self.pages;
        let body = hash(&answer.body);
        let is_again = self.last_body == Some(body) || records > 0 && !self.bodies.insert(body);
        if is_again && !matches!(self.paging.kind, Kind::None) {
            return Err(PagingError::SameBody { page });
        }
        self.last_body = Some(body);
        self.hear_total(&answer.body, records)?;
        self.promised = self.says_more(&answer.body, records)?;
        let next = match self.promised {
            Some(false) => None,
            _ => self.next(answer, records)?,
        };
        let Some(request) = next else { return self.end() };
        if page >= self.paging.pages_max {
            return Err(PagingError::TooMany { pages_max: self.paging.pages_max });
        }
        if !self.asked.insert(hash_of(&request)) {
            return Err(PagingError::Loop { page });
        }
        self.awaited = request.clone();
        Ok(Step::Ask(request))
    }

    fn next(&mut self, answer: &Answer, records: u64) -> Result<Option<Request>, PagingError> {
        let page = self.pages;
        let paging = self.paging;
        let at = |named: &str, awaited: &Request| {
            let url = next::url(named, &answer.url, page, &paging.secret_parameters)?;
            Ok(Some(next::at(awaited, url)))
        };
        match &paging.kind {
            Kind::None => Ok(None),
            Kind::Link => match link::next(answer.headers.all("link")).ok_or(PagingError::NoLink { page })? {
                Some(named) => at(named, &self.awaited),
                None => Ok(None),
            },
            Kind::Next(path) => match self.one(path, &answer.body)? {
                Some((named, _)) => at(&named, &self.awaited),
                None => Ok(None),
            },
            Kind::Cursor { at, parameter } => {
                let Some((value, is_number)) = self.one(at, &answer.body)? else { return Ok(None) };
                self.with(parameter, &value, is_number).map(Some)
            }
            Kind::Page { size, .. } | Kind::Offset { size, .. }
                if self.promised.is_none() && self.is_last(records, size.as_ref()) =>
            {
                Ok(None)
            }
            Kind::Page { parameter, first, .. } => {
                self.with(parameter, &(first + page).to_string(), true).map(Some)
            }
            // What came counts, not what was asked for: a service may give less.
            Kind::Offset { parameter, .. } => self.with(parameter, &self.records.to_string(), true).map(Some),
        }
    }

    /// Takes that there is no such page.
    pub fn nothing(&mut self) -> Result<Step, PagingError> {
        self.pages += 1;
        self.end()
    }

    /// Whether nothing follows a page of so many records. One that is shorter than was asked for, or than the one
    /// before, may be as long as the service allows, or have lost some to a filter: the next one tells.
    fn is_last(&self, records: u64, size: Option<&super::Size>) -> bool {
        if records == 0 {
            return true;
        }
        if let Some((_, total)) = self.totals {
            return self.records >= total;
        }
        self.paging.short_is_last && size.is_some_and(|size| records < size.records)
    }

    fn with(
        &self,
        parameter: &super::Parameter,
        value: &str,
        is_number: bool,
    ) -> Result<Request, PagingError> {
        let mut request = self.awaited.clone();
        next::set(&mut request, parameter, value, is_number)?;
        Ok(request)
    }

    /// One text or number of the body; an empty one is none.
    fn one(&mut self, path: &super::Path, body: &[u8]) -> Result<Option<(String, bool)>, PagingError> {
        let page = self.pages;
        let not_one = |found| PagingError::NotOne { page, path: path.text().to_owned(), found };
        let found = path.of(body).ok_or(PagingError::NoJson { page })?;
        if found != Found::Missing {
            self.is_led = Some(true);
        }
        match found {
            Found::Missing | Found::Null => Ok(None),
            // Some services write `false` where there is none.
            Found::Flag(false) => Ok(None),
            Found::Flag(true) => Err(not_one("true")),
            Found::One { text, .. } if text.is_empty() => Ok(None),
            Found::One { text, is_number } => Ok(Some((text, is_number))),
            Found::Other(found) => Err(not_one(found)),
        }
    }

    fn says_more(&self, body: &[u8], records: u64) -> Result<Option<bool>, PagingError> {
        let Some(path) = &self.paging.more else { return Ok(None) };
        let page = self.pages;
        match path.of(body).ok_or(PagingError::NoJson { page })? {
            // A field that has another name now would end each table with its first page.
            Found::Missing if records > 0 => {
                Err(PagingError::NotThere { page, path: path.text().to_owned() })
            }
            Found::Missing | Found::Null => Ok(Some(false)),
            Found::Flag(more) => Ok(Some(more)),
            Found::One { text, .. } => Ok(Some(!matches!(text.as_str(), "" | "0" | "false"))),
            Found::Other(found) => Err(PagingError::NotOne { page, path: path.text().to_owned(), found }),
        }
    }

    fn hear_total(&mut self, body: &[u8], records: u64) -> Result<(), PagingError> {
        let Some(path) = &self.paging.total else { return Ok(()) };
        let page = self.pages;
        let no_number = || PagingError::NoNumber { page, path: path.text().to_owned() };
        let now = match path.of(body).ok_or(PagingError::NoJson { page })? {
            // Some say it on the first page alone.
            Found::Missing if records > 0 && self.totals.is_none() => {
                return Err(PagingError::NotThere { page, path: path.text().to_owned() });
            }
            Found::Missing | Found::Null => return Ok(()),
            Found::One { text, .. } => text.parse::<u64>().map_err(|_| no_number())?,
            Found::Flag(_) | Found::Other(_) => return Err(no_number()),
        };
        match self.totals {
            Some((_, before)) if before != now && self.paging.kind.shifts() => {
                Err(PagingError::TotalChanged { page, before, now })
            }
            Some((first, _)) => {
                self.totals = Some((first, now));
                Ok(())
            }
            None => {
                self.totals = Some((now, now));
                Ok(())
            }
        }
    }

    /// Whether what came is what was said. Where no record can move, some may come and go while pages are read.
    fn end(&self) -> Result<Step, PagingError> {
        if self.promised == Some(true) {
            return Err(PagingError::Promised { page: self.pages });
        }
        let Some((first, last)) = self.totals else { return Ok(Step::End) };
        let said = first.min(last)..=first.max(last);
        match said.contains(&self.records) {
            true => Ok(Step::End),
            false => Err(PagingError::Total { said: last, came: self.records }),
        }
    }
}

fn say_size(request: &mut Request, size: Option<&super::Size>) -> Result<(), PagingError> {
    match size {
        Some(super::Size { parameter: Some(parameter), records }) => {
            next::set(request, parameter, &records.to_string(), true)
        }
        _ => Ok(()),
    }
}

fn hash_of(request: &Request) -> [u8; 16] {
    hash(&serde_json::to_vec(request).unwrap_or_default())
}

fn hash(bytes: &[u8]) -> [u8; 16] {
    let hash = Sha256::digest(bytes);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

#[cfg(test)]
mod tests;
