//! `discover SOURCE`: its tables, and which of them no file in `loaders/` lists.

mod asked;
mod listing;
mod service;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

pub(in crate::cli) use self::asked::Asked;
use self::listing::Listed;
use super::{Context, complaint::Complaint, exit::Exit, quantity};
use crate::{
    config::{self, Project, SourceConfig, SourcePlace, listing::NewRow},
    run::reach,
    source::{LocalSlots, postgres::PostgresSource},
};

/// How many connections looking takes; they are not counted with those of runs.
const CONNECTIONS: u32 = 2;

/// What is done about tables that nothing lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// Their rows are printed.
    Print,
    /// Their rows are written.
    Write,
    /// There should be none.
    Refuse,
}

/// What `discover --output json` prints.
#[derive(Debug, Serialize)]
struct Discovery<'a> {
    source: &'a str,
    tables: Vec<&'a Listed>,
    /// The files that rows were added to.
    written: &'a [String],
}

/// Looks at a source.
pub(super) async fn discover(
    context: &Context,
    name: &str,
    asked: Option<Asked>,
    unlisted: Unlisted,
) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let config = source(&project, name)?;
    let replica = match (&config.at, asked) {
        (SourcePlace::Http(_), None) => return service::list(context, &project, config),
        (SourcePlace::Http(http), Some(asked)) => {
            let project = (&project, &environment);
            return service::ask(context, project, (config, http), asked, unlisted).await;
        }
        (SourcePlace::Postgres(_), Some(_)) => {
            let hint = "a database lists its tables by itself: leave it out".to_owned();
            return Err(Complaint::usage(
                format!("`--path` is for services, and `{name}` is a database"),
                Some(hint),
            ));
        }
        (SourcePlace::Postgres(replica), None) => replica,
    };
    let endpoint = reach::replica_endpoint(&project, &environment, replica)?;
    let slots = Arc::new(LocalSlots::new(CONNECTIONS));
    let source = reach::replica((name, replica), endpoint, "discover", slots);
    let tables = tables(&project, config, &source).await?;
    let missing: Vec<&Listed> = tables.iter().filter(|table| table.listed_by.is_none()).collect();
    let files = rows_by_file(&project, config, &missing);
    let mut written = Vec::new();
    if unlisted == Unlisted::Write {
        for (file, new) in &files {
            write::add(&project.dir, config, file, new)?;
            written.push(file.clone());
        }
    }
    let shown = if unlisted == Unlisted::Refuse { missing.clone() } else { tables.iter().collect() };
    if context.output.is_json() {
        context.output.json(&Discovery { source: name, tables: shown, written: &written })?;
    } else {
        if !shown.is_empty() {
            context.output.data(&listing::text(&shown))?;
        }
        if unlisted == Unlisted::Print {
            for (file, new) in &files {
                let rows = config::listing::rows(&new.rows);
                context.output.data(&format!("\n# {file}, below [tables]\n{rows}"))?;
            }
        }
        tell(context, unlisted, tables.len(), missing.len(), &files);
    }
    Ok(if unlisted == Unlisted::Refuse && !missing.is_empty() { Exit::Failed } else { Exit::Done })
}

/// Rows for one file.
#[derive(Debug, Default)]
struct NewRows {
    schema: String,
    rows: Vec<NewRow>,
}

fn source<'a>(project: &'a Project, name: &str) -> Result<&'a SourceConfig, Complaint> {
    project.sources.get(name).ok_or_else(|| {
        let known = || project.sources.keys().map(String::as_str);
        let hint = match config::nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the project has {}", known().collect::<Vec<_>>().join(", ")),
        };
        Complaint::usage(format!("there is no source `{name}`"), Some(hint))
    })
}

/// Everything that the role can see, in every schema that it may use.
async fn tables(
    project: &Project,
    config: &SourceConfig,
    source: &PostgresSource,
) -> Result<Vec<Listed>, Complaint> {
    let mut tables = Vec::new();
    for schema in source.schemas().await? {
        for advice in source.advise(&schema).await? {
            let name = &advice.table.name.name;
            let loaders = project.loaders.iter();
            let mut of_schema = loaders.filter(|file| file.source == config.name && file.schema == schema);
            let listed_by = of_schema.find_map(|file| file.listed_by(name)).map(str::to_owned);
            tables.push(Listed::new(advice, listed_by));
        }
    }
    Ok(tables)
}

/// The rows that are missing, by the file that they belong in.
fn rows_by_file(project: &Project, config: &SourceConfig, missing: &[&Listed]) -> BTreeMap<String, NewRows> {
    let mut schemas: BTreeMap<&str, Vec<NewRow>> = BTreeMap::new();
    for table in missing {
        schemas.entry(&table.schema).or_default().push(table.row());
    }
    let mut files: BTreeMap<String, NewRows> = BTreeMap::new();
    for (schema, rows) in schemas {
        let mut there = project.loaders.iter();
        let there = there.find(|file| file.source == config.name && file.schema == schema);
        let file = match there {
            Some(loader) => loader.file.clone(),
            None => write::new_name(&config.name, schema, |name| {
                files.contains_key(name) || project.dir.join(name).exists()
            }),
        };
        files.insert(file, NewRows { schema: schema.to_owned(), rows });
    }
    files
}

fn tell(
    context: &Context,
    unlisted: Unlisted,
    all: usize,
    missing: usize,
    files: &BTreeMap<String, NewRows>,
) {
    let output = &context.output;
    if all == 0 {
        output.say("no table of it can be seen; `barncat doctor` tests the role's privileges");
    } else if missing == 0 {
        output.say(&format!("listed: all of {}", quantity::count(all, "table")));
    }
    match unlisted {
        Unlisted::Print => {}
        Unlisted::Write => {
            for (file, new) in files {
                output.say(&format!("wrote {} to {file}", quantity::count(new.rows.len(), "row")));
            }
        }
        Unlisted::Refuse if missing > 0 => {
            output.say(&format!("not listed: {missing} of {}", quantity::count(all, "table")));
        }
        Unlisted::Refuse => {}
    }
}
