//! docs/REFERENCE.md: all that can be written, asked for and read, from the code itself. `make reference` writes it; the test holds it
//! against the code.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use schemars::{JsonSchema, schema_for};

use crate::{
    cli,
    config::{self, Occasion, Severity},
    error::Class,
    event::{CheckStatus, RunStatus, TaskStatus, Tier},
    incident::AlarmKind,
    serve,
};

const HEAD: &str = "# Reference

Written by `make reference` from the code, which a test holds it against: do not edit it. How things work is told elsewhere, from the
[guide](GUIDE.md) on.

";

const VALUES: &str = "Values may hold `${NAME}` and `${NAME:-default}`, taken from the environment where a connection is opened; an empty
variable counts as missing for `:-`. Time spans are written `30s`, `10m`, `30 minutes`, `2h`, `7d`; sizes `500 MB`, `20 GB`; shares `5 %`. Unknown
keys are mistakes, and `barncat validate` tells all of them at once.

";

/// Variables that stand for no flag.
const READ: [(&str, &str); 8] = [
    (
        "${NAME}",
        "whatever the project's files name: read where a connection is opened, by no command that opens none",
    ),
    ("USER", "in the default of `[warehouse] test_schema`"),
    (
        serve::TOKEN,
        "`serve`: what readers must show; needed off loopback, of 16 characters at least. Programs of the project do not get it",
    ),
    ("ECS_AGENT_URI", "`serve`: set by ECS; where protection is asked for while a run is under way"),
    (
        "AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "as AWS' own tools take them; their files, SSO and a task's or machine's role count, too",
    ),
    ("AWS_EC2_METADATA_DISABLED", "`true`: the machine is not asked for a role"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "certificates that are trusted, instead of the system's"),
    ("NO_COLOR", "no colours; where output is no terminal there are none anyway"),
];

/// Variables that programs of a project get.
const GIVEN: [(&str, &str, &str); 5] = [
    ("BARNCAT_RUN", "commands, hooks", "the run's id"),
    ("BARNCAT_MODE", "commands, hooks", "`production` or `test`"),
    ("BARNCAT_TASK", "commands, hooks that are told of a task", "the task's full name"),
    ("BARNCAT_EVENT", "hooks", "what it is told of"),
    ("BARNCAT_STATUS", "hooks, where something ended", "how the task or the run ended"),
];

/// Variables of the tests alone.
const OF_TESTS: [&str; 4] =
    ["BARNCAT_FAILPOINTS", "BARNCAT_WRITE", "BARNCAT_FUZZ_SECONDS", "BARNCAT_FUZZ_SEED"];

/// The words of an enum and what they mean, by its own comments.
fn words<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schema_for!(T);
    let variants = schema.get("oneOf").and_then(|all| all.as_array()).cloned().unwrap_or_default();
    let text = |variant: &serde_json::Value, key: &str| {
        variant.get(key).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
    };
    variants.iter().map(|variant| (text(variant, "const"), text(variant, "description"))).collect()
}

/// What a hook is told of.
fn occasions() -> Vec<(String, String)> {
    let told = |name: &'static str| {
        let words = match name {
            "task.finished" => "a task has ended, however it did",
            "task.published" => "a task has ended and published its table",
            "task.retry" => "an attempt failed, and there will be another",
            "run.finished" => "the run has ended, however it did",
            name if name.starts_with("task.") => "a task has ended so",
            _ => "the run has ended so",
        };
        (name.to_owned(), words.to_owned())
    };
    Occasion::names().map(told).collect()
}

fn table_of(title: &str, words: Vec<(String, String)>) -> String {
    let mut text = format!("### {title}\n\n| word | means |\n| --- | --- |\n");
    for (word, meaning) in words {
        assert!(!word.is_empty() && !meaning.is_empty(), "{title}: `{word}` is not described");
        let meaning = meaning.trim_end_matches('.');
        let _ = writeln!(text, "| `{word}` | {meaning} |");
    }
    text + "\n"
}

fn variables() -> String {
    let mut text = "| variable | is |\n| --- | --- |\n".to_owned();
    for (variable, flag) in cli::reference::variables() {
        let _ = writeln!(text, "| `{variable}` | {flag} |");
    }
    for (variable, is) in READ {
        let names: Vec<String> = variable.split(", ").map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {is} |", names.join(", "));
    }
    text.push_str("\nPrograms of the project (`[tasks.NAME]`, `[hooks.NAME]`) get, beside barncat's own:\n\n| variable | who | is |\n| --- | --- | --- |\n");
    for (variable, who, is) in GIVEN {
        let _ = writeln!(text, "| `{variable}` | {who} | {is} |");
    }
    text + "\n"
}

fn contents(text: &str) -> String {
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    headings.map(|heading| format!("- [{heading}](#{})\n", slug(heading))).collect()
}

/// The name by which GitHub links a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

async fn markdown() -> String {
    let mut text = config::reference::markdown();
    let _ = write!(
        text,
        "## Commands\n\n`barncat COMMAND --help` has examples.\n\n{}",
        cli::reference::commands_markdown()
    );
    let _ = write!(text, "## Exit status\n\n{}\n", cli::reference::statuses_markdown());
    let _ = write!(text, "## Environment\n\n{}", variables());
    let _ = write!(
        text,
        "## Metrics\n\nAt `/metrics` of `barncat serve` ([DASHBOARD.md](DASHBOARD.md#metrics)). Sizes are bytes, times seconds.\n\n{}\n",
        serve::metrics_reference().await
    );
    text.push_str("## Words\n\nAs `--output json`, the API, `/metrics`, logs and alerts have them.\n\n");
    text.push_str(&table_of("Of a run", words::<RunStatus>()));
    text.push_str(&table_of("Of a task", words::<TaskStatus>()));
    text.push_str(&table_of("Of a check", words::<CheckStatus>()));
    text.push_str(&table_of("Classes of errors", words::<Class>()));
    text.push_str(&table_of("Tiers", words::<Tier>()));
    text.push_str(&table_of("Severities", words::<Severity>()));
    text.push_str(&table_of("Kinds of incidents", words::<AlarmKind>()));
    text.push_str(&table_of("What a hook is told of", occasions()));
    format!("{HEAD}{}\n{}", contents(&text), text.replacen("\n\n", &format!("\n\n{VALUES}"), 1))
        .trim_end()
        .to_owned()
        + "\n"
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the documents are written instead of compared.
#[expect(clippy::disallowed_methods, reason = "of the tests alone")]
pub(crate) fn is_to_be_written() -> bool {
    std::env::var_os("BARNCAT_WRITE").is_some()
}

#[tokio::test]
async fn the_reference_is_what_the_code_says() {
    let (path, new) = (folder().join("docs/REFERENCE.md"), markdown().await);
    if is_to_be_written() {
        fs::write(&path, &new).expect("it can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let (here, there): (Vec<&str>, Vec<&str>) = (new.lines().collect(), there.lines().collect());
    let differs =
        here.iter().zip(&there).position(|(new, old)| new != old).unwrap_or(here.len().min(there.len()));
    assert!(
        here == there,
        "docs/REFERENCE.md is not what the code says, from line {} on: `make reference` writes it\n- {}\n+ {}",
        differs + 1,
        there.get(differs).unwrap_or(&""),
        here.get(differs).unwrap_or(&"")
    );
}

/// Every file of a folder and those below it, by its ending.
fn files(folder: &Path, ending: &str, all: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ending, all);
        } else if path.to_string_lossy().ends_with(ending) {
            all.push(path);
        }
    }
}

#[test]
fn every_variable_of_barncats_own_is_told() {
    let mut sources = Vec::new();
    files(&folder().join("src"), ".rs", &mut sources);
    let told = variables();
    let mut found = BTreeSet::new();
    for source in sources {
        let text = fs::read_to_string(&source).expect("a file");
        for part in text.split("\"BARNCAT_").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            found.insert(format!("BARNCAT_{name}"));
        }
    }
    let missing: Vec<_> = found
        .iter()
        .filter(|name| {
            !name.ends_with('_') && !OF_TESTS.contains(&name.as_str()) && !told.contains(&format!("`{name}`"))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(found.len() > 8, "{found:?}");
}

/// Where the documents link to is there: files, and headings within them.
#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut documents = vec![folder().join("README.md"), folder().join("CHANGELOG.md")];
    files(&folder().join("docs"), ".md", &mut documents);
    let anchors = |path: &Path| -> BTreeSet<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut is_code = false;
        let headings = text.lines().filter(|line| {
            is_code ^= line.trim_start().starts_with("```");
            !is_code && line.starts_with('#')
        });
        headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
    };
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).expect("a file");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") || link.contains(' ') || link.is_empty() {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                document.clone()
            } else {
                document.parent().expect("a folder").join(file)
            };
            let has_anchor = anchor.is_empty() || anchors(&target).contains(anchor);
            if !target.exists() || !has_anchor {
                broken.push(format!(
                    "{}: {link}",
                    document.strip_prefix(folder()).unwrap_or(document).display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
