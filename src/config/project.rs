//! `barncat.toml` and the files beside it, put together.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{
    AlertsConfig, CheckSpec, Collector, CommandSpec, ControlConfig, HookSpec, Keys, Loader, ModelSpec, Place,
    Schedule, SourceConfig, StageConfig, Text, WarehouseConfig, alerts, check, command, hook, http, loader,
    mistake::did_you_mean, model, schedule, source, warehouse,
};
use crate::sql::Dialect;

/// A project, read whole.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder.
    pub dir: PathBuf,
    /// The overlay that was read over it.
    pub env: Option<String>,
    /// Its name: the first part of every key in the stage.
    pub name: String,
    /// The time zone of its schedules and deadlines.
    pub timezone: String,
    /// Its sources, by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The stage.
    pub stage: StageConfig,
    /// The warehouse.
    pub warehouse: WarehouseConfig,
    /// The control database.
    pub control: ControlConfig,
    /// Its schedules, by name: all that ticks. What is to tick by itself (a check with its own `every`) is one more
    /// of them, which selects that task; the service needs to know nothing else of it.
    pub schedules: BTreeMap<String, Schedule>,
    /// Who is told what.
    pub alerts: AlertsConfig,
    /// How long what happened stays in the control database.
    pub history_keep: Duration,
    /// Its loaders, in the order of their files.
    pub loaders: Vec<Loader>,
    /// Its models, in the order of their files.
    pub models: Vec<ModelSpec>,
    /// Its checks, in the order of their files.
    pub checks: Vec<CheckSpec>,
    /// Its commands, in the order of their names.
    pub commands: Vec<CommandSpec>,
    /// Its hooks, in the order of their names.
    pub hooks: Vec<HookSpec>,
}

impl Project {
    /// The time zone of its schedules and deadlines.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC)
    }
}

const FILE: &str = "barncat.toml";

/// How long what happened is kept: a year, to compare with, and some.
const HISTORY_KEEP: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Less would not do for what deadlines and usual times are known by.
const HISTORY_KEEP_MIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Reads a project; mistakes go to `mistakes`.
pub(super) fn read(dir: &Path, env: Option<&str>, mistakes: &Collector) -> Option<Project> {
    if !dir.is_dir() {
        let message = if dir.exists() { "this is no folder" } else { "there is no such folder" };
        let place = Place { file: dir.display().to_string(), line: 0, column: 0 };
        let hint = "--project names the project's folder; `barncat init DIR` writes a small working project";
        mistakes.add(place, message.to_owned(), Some(hint.to_owned()));
        return None;
    }
    let hint = "`barncat init` writes a small working project; --project names another folder";
    let text = Text::read(dir, FILE, Some(hint), mistakes)?;
    let over = match env {
        None => None,
        Some(env) => Some(Text::read(dir, &format!("barncat.{env}.toml"), None, mistakes)?),
    };
    let base = Keys::of_file(&text, mistakes)?;
    let over = match &over {
        None => None,
        Some(over) => Some(Keys::of_file(over, mistakes)?),
    };
    let sections = Sections { base, over };
    let (name, timezone) = project(sections.of("project"));
    let sources: BTreeMap<String, SourceConfig> = sources(sections.of("sources"));
    for service in sources.values().filter_map(SourceConfig::service) {
        http::check_mock(dir, service.mock.as_deref().unwrap_or_default(), mistakes);
    }
    let stage = warehouse::read_stage(sections.of("stage"));
    let warehouse = warehouse::read_warehouse(sections.of("warehouse"));
    let control = warehouse::read_control(sections.of("control"));
    if let (Some(stage), Some(config)) = (&stage, &warehouse) {
        warehouse::check_redshift(sections.of("warehouse"), stage, config, &control);
    }
    let schedules = schedule::read(sections.of("schedules"), name.as_deref().unwrap_or_default());
    let alerts = alerts::read(sections.of("alerts"));
    let history_keep = history_keep(sections.of("history"));
    let into = warehouse.as_ref().map_or("public", |warehouse| &warehouse.schema);
    let dialect = warehouse.as_ref().map_or(Dialect::Postgres, |warehouse| warehouse.place.kind().dialect());
    let around = loader::Around { dir, sources: source::kinds(sections.of("sources")), into, dialect };
    let loaders = loaders(&around, &sources, mistakes);
    if let Some(warehouse) = &warehouse {
        loaders.iter().for_each(|loader| loader.refuse_more_than(warehouse.connections, mistakes));
    }
    let models = model::read_all(dir, into, dialect, mistakes);
    let checks = check::read_all(dir, dialect, mistakes);
    let commands = command::read_all(sections.of("tasks"));
    let hooks = hook::read_all(sections.of("hooks"));
    sections.finish();
    Some(Project {
        dir: dir.to_owned(),
        env: env.map(str::to_owned),
        name: name?,
        timezone,
        sources,
        stage: stage?,
        warehouse: warehouse?,
        control,
        schedules,
        alerts,
        history_keep,
        loaders,
        models,
        checks,
        commands,
        hooks,
    })
}

/// The sections of `barncat.toml` and of the overlay, whose sections take the place of the others.
struct Sections<'a> {
    base: Keys<'a>,
    over: Option<Keys<'a>>,
}

impl<'a> Sections<'a> {
    fn of(&self, section: &str) -> &Keys<'a> {
        match &self.over {
            Some(over) if over.has(section) => over,
            _ => &self.base,
        }
    }

    /// Each file is held against all sections, those that the other one takes the place of too.
    fn finish(self) {
        const SECTIONS: [&str; 10] = [
            "project",
            "sources",
            "stage",
            "warehouse",
            "control",
            "tasks",
            "hooks",
            "schedules",
            "alerts",
            "history",
        ];
        for keys in [Some(self.base), self.over].into_iter().flatten() {
            for section in SECTIONS {
                keys.know(section);
            }
            keys.finish();
        }
    }
}

fn project(file: &Keys<'_>) -> (Option<String>, String) {
    let utc = || "UTC".to_owned();
    let Some(keys) = file.table("project") else {
        file.missing("project", "[project] name = \"deliveries\"");
        return (None, utc());
    };
    let name = keys.string("name");
    match &name {
        None if !keys.has("name") => keys.missing("name", "name = \"deliveries\""),
        Some(name) if name.trim().is_empty() => keys.wrong("name", "is empty"),
        _ => {}
    }
    let timezone = keys.string("timezone").unwrap_or_else(utc);
    if TimeZone::get(&timezone).is_err() {
        keys.wrong("timezone", "is not a time zone like `Europe/London`");
    }
    if let Some(requires) = keys.string("requires") {
        check_version(&keys, &requires);
    }
    keys.finish();
    (name, timezone)
}

fn history_keep(file: &Keys<'_>) -> Duration {
    let Some(keys) = file.table("history") else { return HISTORY_KEEP };
    let keep = keys.duration("keep").unwrap_or(HISTORY_KEEP);
    if keep < HISTORY_KEEP_MIN {
        keys.wrong("keep", "is less than 30 days: deadlines and usual times are known by them");
    }
    keys.finish();
    keep
}

/// `requires = ">=0.3"`: a project for a newer barncat is refused, not half understood.
fn check_version(keys: &Keys<'_>, requires: &str) {
    let version =
        |text: &str| -> Option<Vec<u32>> { text.trim().split('.').map(|n| n.parse().ok()).collect() };
    let here = version(env!("CARGO_PKG_VERSION")).unwrap_or_default();
    match requires.trim().strip_prefix(">=").and_then(version) {
        None => keys.wrong("requires", "is not of the form `>=0.3`"),
        Some(wanted) if here < wanted => keys.wrong(
            "requires",
            format_args!("asks for {requires}, and this is barncat {}", env!("CARGO_PKG_VERSION")),
        ),
        Some(_) => {}
    }
}

fn sources(file: &Keys<'_>) -> BTreeMap<String, SourceConfig> {
    let named = file.named("sources");
    if named.is_empty() {
        file.missing("sources", "[sources.shop] kind = \"postgres\"");
    }
    named
        .into_iter()
        .filter_map(|(name, place, item)| Some((name.clone(), source::read(&name, place, item, file)?)))
        .collect()
}

/// The files of a folder and of those in it with this ending, relative to the project's own, in the order of their names.
pub(super) fn files(dir: &Path, folder: &str, ending: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.join(folder)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{folder}/{name}");
        // A link to a folder is not followed: it may lead in a circle.
        match entry.file_type() {
            _ if name.starts_with('.') => {}
            Ok(kind) if kind.is_dir() => names.extend(files(dir, &path, ending)),
            _ if name.ends_with(ending) => names.push(path),
            _ => {}
        }
    }
    names.sort();
    names
}

fn loaders(
    around: &loader::Around<'_>,
    sources: &BTreeMap<String, SourceConfig>,
    mistakes: &Collector,
) -> Vec<Loader> {
    let names = files(around.dir, "loaders", ".toml");
    let mut loaders = Vec::new();
    for name in names {
        let Some(text) = Text::read(around.dir, &name, None, mistakes) else { continue };
        let Some(loader) = loader::read(&text, around, mistakes) else { continue };
        // A mistake in a source is told once, where it is.
        if !around.sources.contains_key(&loader.source) {
            let message = format!("there is no source `{}`", loader.source);
            let hint = did_you_mean(&loader.source, around.sources.keys().map(String::as_str));
            mistakes.add(loader.source_place.clone(), message, hint);
        } else if sources.contains_key(&loader.source) {
            loaders.push(loader);
        }
    }
    loaders
}
