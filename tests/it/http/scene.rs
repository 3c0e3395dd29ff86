//! A project whose only source is a service.

use super::double::Double;
use crate::support::project::{INTO, Project};

/// A service's records, cut into pages of two by a cursor that is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Items(pub(super) Vec<(i64, String, String)>);

impl Items {
    /// So many, one a minute.
    pub(super) fn new(count: i64) -> Self {
        let item =
            |id: i64| (id, format!("note {id}"), format!("2026-01-01T{:02}:{:02}:00Z", id / 60, id % 60));
        Self((1..=count).map(item).collect())
    }

    /// The answer to `/items`, with `since` and `after`.
    pub(super) fn answer(&self, target: &str) -> (u16, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != "/items" {
            return (404, "{}".to_owned());
        }
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(own, _)| *own == name).map(|(_, value)| value.replace("%3A", ":")).next()
        };
        let since = value("since").unwrap_or_default();
        let after: usize = value("after").map_or(0, |after| after.parse().expect("it is a number"));
        let wanted: Vec<_> = self.0.iter().filter(|(_, _, at)| *at >= since).collect();
        let page: Vec<String> = wanted
            .iter()
            .skip(after)
            .take(2)
            .map(|(id, note, at)| format!(r#"{{"id": {id}, "note": "{note}", "at": "{at}"}}"#))
            .collect();
        let next = if after + 2 < wanted.len() { (after + 2).to_string() } else { "null".to_owned() };
        let body = format!(r#"{{"data": [{}], "next": {next}, "total": {}}}"#, page.join(", "), wanted.len());
        (200, body)
    }
}

/// What the tests' table is read from.
pub(super) const ITEMS: &str = "path = \"/items\", records = \"$.data[*]\", \
     columns = { id = \"bigint\", note = \"text\", at = \"timestamptz\" }, key = [\"id\"], \
     paging = { cursor = \"$.next\", parameter = \"after\", total = \"$.total\" }";

/// A project with the rows of `[tables]`, and the service that it asks.
pub(super) async fn project(double: &Double, tables: &str) -> Project {
    project_at(&double.url(), tables).await
}

/// The same of a service anywhere.
pub(super) async fn project_at(url: &str, tables: &str) -> Project {
    let project = Project::new("CREATE TABLE unused (id int)", "[tables]\nunused = \"skip\"\n").await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let (head, rest) = config.split_once("[sources.shop]").unwrap();
    let (_, rest) = rest.split_once("[stage]").unwrap();
    let source = format!(
        "[sources.api]\nkind = \"http\"\nurl = \"{url}\"\nallow_http = true\nallow_private = true\nattempts = 1\n"
    );
    project.write("barncat.toml", &format!("{head}{source}\n[stage]{rest}"));
    std::fs::remove_file(project.dir().join("loaders/shop.toml")).unwrap();
    write_tables(&project, tables);
    project
}

/// Writes the rows again.
pub(super) fn write_tables(project: &Project, tables: &str) {
    let head = format!("source = \"api\"\ninto = \"{INTO}\"\n");
    project.write("loaders/api.toml", &format!("{head}[tables]\n{tables}\n"));
}

/// The published rows of `items`.
pub(super) async fn items(project: &Project) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(id || ' ' || note || ' ' || to_char(at AT TIME ZONE 'UTC', 'HH24:MI'), ', ' \
         ORDER BY id), '') FROM {INTO}.items"
    );
    project.database.text(&sql).await
}

/// The same of the service.
pub(super) fn expected(items: &Items) -> String {
    let mut rows: Vec<_> = items.0.clone();
    rows.sort();
    let row = |(id, note, at): &(i64, String, String)| format!("{id} {note} {}", &at[11..16]);
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}
