//! The manifest of a load. What is read is written and read back as the same; what is not is told without what stands
//! there, for a manifest has keys of rows.

use super::{SECRET, fuzz, outcome};
use crate::stage::manifest::Manifest;

const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "1",
    "1.0",
    "18446744073709551615",
    "-1",
    "\"binary\"",
    "\"csv\"",
    "\"zstd\"",
    "\"version\":2,",
    "\"parts\":[],",
    "\"gone\":[[\"hunter2\"]],",
    "\"kind\":\"domain\"",
    "\"base\":",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"2026-11-22T05:00:00Z\"",
    "\"9999-12-31T23:59:59.999999999Z\"",
    "\"+262143-01-01T00:00:00Z\"",
];

#[test]
fn manifest() {
    fuzz("manifest", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    match Manifest::parse(input) {
        Ok(manifest) => {
            let json = serde_json::to_vec(&manifest).expect("what was read can be written");
            let again =
                Manifest::parse(&json).unwrap_or_else(|what| panic!("{what} in what it wrote itself"));
            assert_eq!(again, manifest);
            assert_eq!(again.content_hash(), manifest.content_hash());
            let most = manifest.parts.iter().map(|part| part.rows).max().unwrap_or(0);
            assert!(
                manifest.rows() >= most
                    && manifest.bytes() >= manifest.parts.first().map_or(0, |part| part.bytes)
            );
            assert_eq!(crate::schema::hash(&again.schema), crate::schema::hash(&manifest.schema));
            outcome(&format!("{:?} {:?} {:?}", manifest.format, manifest.compression, manifest.schema.kind))
        }
        Err(what) => {
            assert!(!what.contains(SECRET), "{what}");
            outcome(&what)
        }
    }
}
