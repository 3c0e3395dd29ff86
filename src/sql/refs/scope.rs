//! Which names mean no table: those that WITH gives, and in Redshift those of FROM, whose SUPER columns
//! stand in FROM as tables do.

/// One WITH, while the query that it belongs to is walked.
#[derive(Debug, Default)]
pub(super) struct With {
    names: Vec<String>,
    recursive: bool,
    /// How many of the names are known here.
    known: usize,
}

impl With {
    pub(super) fn new(names: Vec<String>, recursive: bool) -> Self {
        Self { known: names.len(), names, recursive }
    }

    /// Inside the body of one: those before it are known; with RECURSIVE all are, itself too.
    pub(super) fn enter(&mut self, number: usize) {
        self.known = if self.recursive { self.names.len() } else { number };
    }

    /// Behind the body of one. Behind the last, all are known: that is where the main query stands.
    pub(super) fn leave(&mut self, number: usize) {
        self.known = if self.recursive { self.names.len() } else { number + 1 };
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.names[..self.known].iter().any(|known| known == name)
    }
}

/// One FROM, while its SELECT is walked.
#[derive(Debug, Default)]
pub(super) struct From {
    items: Vec<Item>,
    /// Inside a subquery of FROM that is not LATERAL, which does not see its neighbours.
    pub(super) hidden: bool,
}

/// What stands in FROM.
#[derive(Debug)]
pub(super) struct Item {
    /// Its alias, or else its own name.
    pub(super) name: String,
    /// The schema of a table without an alias.
    pub(super) schema: Option<String>,
    /// It is a part of a SUPER column, so that its name alone can be walked over once more.
    pub(super) navigates: bool,
}

impl From {
    pub(super) fn push(&mut self, item: Item) {
        self.items.push(item);
    }
}

/// How many parts of a name in FROM lead to an item of FROM: 0 for a table's name.
///
/// `o.items` where `o` is an item: 1. `raw.orders.items` where `raw.orders` is one: 2. A name alone leads
/// to an item only where the item is a part of a SUPER column itself (an array of arrays): otherwise
/// `FROM orders, orders o` would be no join of a table with itself.
pub(super) fn leads(froms: &[From], parts: &[String], bracketed: bool) -> usize {
    let mut items = froms.iter().rev().filter(|from| !from.hidden).flat_map(|from| from.items.iter().rev());
    let found = items.find_map(|item| match parts {
        [name] => (item.name == *name && (item.navigates || bracketed)).then_some(1),
        [first, second, _, ..] if item.schema.as_ref() == Some(first) && item.name == *second => Some(2),
        [first, ..] => (item.name == *first).then_some(1),
        [] => None,
    });
    found.unwrap_or(0)
}
