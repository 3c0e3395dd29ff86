//! The head of a model's file. Settings and SQL are told apart without a byte lost, mistakes stand where they are in the
//! file, and what is no settings stays SQL.

use std::collections::BTreeMap;

use super::{fuzz, outcome, pieces, project};
use crate::config::fuzzed;

const TOKENS: &[&str] = &[
    "/* barncat",
    "/* barncat */",
    "*/",
    "/*",
    "-- ",
    "--\n",
    "\n",
    "\r\n",
    "\u{feff}",
    "kind = \"view\"\n",
    "kind = \"incremental\"\n",
    "cursor = \"id\"\nsince = \"0\"\nkey = [\"id\"]\n",
    "needs = [\"a\"]\n",
    "soft = { a = \"1h\" }\n",
    "deadline = \"06:00\"\n",
    "checks = { unique = [\"id\"] }\n",
    "tier = \"critical\"\n",
    "select 1",
    "from t",
    ":since",
    "\"\"\"",
    "schema = \"",
    "publish = \"swap\"\n",
    "tags = [",
    "]",
    "columns = {",
    "}",
    "attempts = 3\n",
    "time_limit = \"1h\"\n",
];

#[test]
fn model() {
    fuzz("model", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    let [text] = pieces(input);
    let name = "sql/models/m.sql";
    let files = BTreeMap::from([(name, text.clone())]);
    let (file, model) = fuzzed::model(name, &text);
    if let Some(fuzzed::Apart { settings, sql, line }) = file {
        assert!(text.ends_with(&sql));
        assert_eq!(line, text[..text.len() - sql.len()].matches('\n').count() + 1);
        // What the settings are made of stands before the SQL.
        assert!(settings.len() <= text.len() - sql.len() && settings.matches('\n').count() < line.max(1) + 1);
        assert!(sql == text || text[..text.len() - sql.len()].ends_with("*/"), "{sql:?}");
    }
    match model {
        Ok(model) => {
            assert_eq!(model.node.place.file, name);
            outcome(&format!("{:?} {:?} {}", model.kind, model.node.tier, model.checks.len()))
        }
        Err(mistakes) => {
            project::holds(&mistakes, &files);
            outcome(&mistakes.to_string())
        }
    }
}
