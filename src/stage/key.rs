//! Where a load's objects lie: `<project>/<mode>/<schema.table>/<load id>/…`; and what a service answered:
//! `<project>/<mode>/.answers/<schema.table>/<collection id>/…`.
//!
//! Names come from databases and can be anything (`../x`, 63 bytes of emoji). In a key only lower
//! case letters, digits, `_`, `-` and single dots stay as they are, so that a key is a safe path on a
//! file system that folds case too; every other byte is written `=XX`. A name that grows too long is
//! cut and ends in a hash of the whole.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::manifest::{Compression, Format};
use crate::sql::TableName;

/// File systems allow 255 bytes a component.
const COMPONENT_BYTES_MAX: usize = 200;

/// The keys of one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPrefix {
    table: String,
    load: String,
}

impl LoadPrefix {
    /// The keys of the load `load` of `table`.
    pub fn new(project: &str, mode: &str, table: &TableName, load: &str) -> Self {
        let table = format!("{}{}/", Self::mode_prefix(project, mode), component(table));
        Self { table, load: load.to_owned() }
    }

    /// Where all loads of a project in one mode lie; ends in `/`.
    pub fn mode_prefix(project: &str, mode: &str) -> String {
        format!("{}/{}/", bounded(&encode(project), project), encode(mode))
    }

    /// Where all loads of the table lie; ends in `/`.
    pub fn table_prefix(&self) -> String {
        self.table.clone()
    }

    /// Where the load's objects lie; ends in `/`.
    pub fn prefix(&self) -> String {
        format!("{}{}/", self.table, self.load)
    }

    /// The key of the part `number`.
    pub fn part(&self, number: u32, format: Format, compression: Compression) -> String {
        let format = match format {
            Format::Binary => "pgcopy",
            Format::Csv => "csv",
        };
        let compression = match compression {
            Compression::Zstd => "zst",
            Compression::Gzip => "gz",
        };
        format!("{}part-{number:05}.{format}.{compression}", self.prefix())
    }

    /// The key of the manifest.
    pub fn manifest(&self) -> String {
        format!("{}manifest.json", self.prefix())
    }

    /// The key of the note that the load was made of a collection.
    pub fn collection(&self, collection: &str) -> String {
        format!("{}{NOTE}{collection}.json", self.prefix())
    }

    /// The load that a key belongs to; `None` for a key of any other form.
    pub fn load_of(key: &str) -> Option<String> {
        owner_of(key).filter(|_| !is_of_collection(key))
    }

    /// The collection that a load was made of, where a key is the note of it.
    pub fn collection_of(key: &str) -> Option<String> {
        let (_, object) = key.rsplit_once('/')?;
        Self::load_of(key)?;
        object.strip_prefix(NOTE)?.strip_suffix(".json").map(str::to_owned)
    }
}

/// What the note of a collection in a load begins with.
const NOTE: &str = "collection-";

/// Between the mode and the tables: no table is called so.
const ANSWERS: &str = ".answers/";

/// The load or collection that a key belongs to.
pub(super) fn owner_of(key: &str) -> Option<String> {
    let mut parts = key.rsplitn(3, '/');
    let (_object, id) = (parts.next()?, parts.next()?);
    ulid::Ulid::from_string(id).ok().map(|_| id.to_owned())
}

fn is_of_collection(key: &str) -> bool {
    key.rsplitn(4, '/').nth(3).is_some_and(|root| format!("{root}/").ends_with(&format!("/{ANSWERS}")))
}

/// The keys of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionPrefix {
    table: String,
    id: String,
}

impl CollectionPrefix {
    /// The keys of the collection `id` of what is asked for `table`.
    pub fn new(project: &str, mode: &str, table: &TableName, id: &str) -> Self {
        let root = LoadPrefix::mode_prefix(project, mode);
        Self { table: format!("{root}{ANSWERS}{}/", component(table)), id: id.to_owned() }
    }

    /// Where all collections of the table lie; ends in `/`.
    pub fn table_prefix(&self) -> String {
        self.table.clone()
    }

    /// Where the collection's objects lie; ends in `/`.
    pub fn prefix(&self) -> String {
        format!("{}{}/", self.table, self.id)
    }

    /// The key of what is asked, written first.
    pub fn question(&self) -> String {
        format!("{}question.json", self.prefix())
    }

    /// The key of the answer to a query's page, both from 0.
    pub fn answer(&self, query: u64, page: u64) -> String {
        format!("{}answer-{query:06}-{page:06}.zst", self.prefix())
    }

    /// The query and page of an answer's key; `None` for any other.
    pub fn place_of(key: &str) -> Option<(u64, u64)> {
        let (_, object) = key.rsplit_once('/')?;
        let (query, page) = object.strip_prefix("answer-")?.strip_suffix(".zst")?.split_once('-')?;
        Some((query.parse().ok()?, page.parse().ok()?))
    }

    /// The key of the note that a query failed for good.
    pub fn failed(&self, query: u64) -> String {
        format!("{}failed-{query:06}.json", self.prefix())
    }

    /// The key of the manifest.
    pub fn manifest(&self) -> String {
        format!("{}manifest.json", self.prefix())
    }

    /// The collection that a key belongs to; `None` for a key of any other form.
    pub fn collection_of(key: &str) -> Option<String> {
        owner_of(key).filter(|_| is_of_collection(key))
    }
}

/// A table's name as a part of keys.
fn component(table: &TableName) -> String {
    let encoded = format!("{}.{}", encode(&table.schema), encode(&table.name));
    // Not of the name as it is written: `a.b` with `c` and `a` with `b.c` are written alike.
    bounded(&encoded, &encoded)
}

/// The name with every byte that is not safe written `=XX`. Injective: `=` itself is not safe.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "={byte:02x}");
            }
        }
    }
    encoded
}

/// Cuts what is too long and puts a hash of the whole name behind it.
fn bounded(encoded: &str, whole: &str) -> String {
    if encoded.len() <= COMPONENT_BYTES_MAX {
        return encoded.to_owned();
    }
    let hash = Sha256::digest(whole.as_bytes());
    let cut = &encoded[..COMPONENT_BYTES_MAX - 34];
    format!("{cut}=~{}", hex(&hash[..16]))
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOAD: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn prefix(schema: &str, name: &str) -> LoadPrefix {
        LoadPrefix::new("deliveries", "production", &TableName::new(schema, name), LOAD)
    }

    #[test]
    fn plain_names_stay_readable() {
        let prefix = prefix("raw_shop", "orders");
        assert_eq!(
            prefix.part(3, Format::Csv, Compression::Zstd),
            format!("deliveries/production/raw_shop.orders/{LOAD}/part-00003.csv.zst")
        );
        assert_eq!(LoadPrefix::load_of(&prefix.manifest()).as_deref(), Some(LOAD));
        assert_eq!(LoadPrefix::load_of("a/b/c"), None);
        let note = prefix.collection(LOAD);
        assert_eq!(LoadPrefix::load_of(&note).as_deref(), Some(LOAD));
        assert_eq!(LoadPrefix::collection_of(&note).as_deref(), Some(LOAD));
        assert_eq!(LoadPrefix::collection_of(&prefix.manifest()), None);
    }

    #[test]
    fn what_a_service_answered_is_taken_for_no_load() {
        let table = TableName::new("raw_fx", "rates");
        let prefix = CollectionPrefix::new("deliveries", "production", &table, LOAD);
        let key = prefix.answer(3, 12);
        assert_eq!(
            key,
            format!("deliveries/production/.answers/raw_fx.rates/{LOAD}/answer-000003-000012.zst")
        );
        assert_eq!((LoadPrefix::load_of(&key), LoadPrefix::collection_of(&key)), (None, None));
        assert_eq!(CollectionPrefix::collection_of(&key).as_deref(), Some(LOAD));
        assert_eq!(CollectionPrefix::place_of(&key), Some((3, 12)));
        assert_eq!(CollectionPrefix::place_of(&prefix.manifest()), None);
        let (million, next) = (prefix.answer(1_000_000, 0), prefix.answer(1_000_001, 0));
        assert!(million < next);
        // A table of that name lies elsewhere.
        let other = LoadPrefix::new("deliveries", "production", &TableName::new("", "answers"), LOAD);
        assert_ne!(other.prefix(), prefix.table_prefix());
        assert_eq!(CollectionPrefix::collection_of(&other.manifest()), None);
    }

    #[test]
    fn names_that_differ_in_case_or_in_their_dot_do_not_meet() {
        assert_ne!(prefix("a", "B").prefix(), prefix("a", "b").prefix());
        assert_ne!(prefix("a.b", "c").prefix(), prefix("a", "b.c").prefix());
        assert!(!prefix("..", "../x").prefix().contains(".."));
    }

    proptest! {
        #[test]
        fn every_component_is_safe_and_short(schema in ".{0,63}", name in ".{0,63}") {
            let key = prefix(&schema, &name).manifest();
            prop_assert_eq!(key.split('/').count(), 5);
            for component in key.split('/') {
                // With what a stage appends to it while it is unfinished.
                prop_assert!(!component.is_empty() && component.len() <= 255 - 16 && component != "..");
            }
            // S3 takes 1024 bytes, of which the bucket's prefix needs some.
            prop_assert!(key.len() <= 1024 - 256);
        }

        #[test]
        fn two_names_never_share_a_prefix(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            prop_assume!(a != b);
            prop_assert_ne!(prefix("s", &a).prefix(), prefix("s", &b).prefix());
            prop_assert_ne!(prefix(&a, "t").prefix(), prefix(&b, "t").prefix());
        }
    }
}
