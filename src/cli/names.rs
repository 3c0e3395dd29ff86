//! Short names for people: the table without its schema, where that is unique. Pure.

use std::collections::HashMap;

/// How each of a run's tasks is called on the screen.
#[derive(Debug, Default)]
pub(super) struct ShortNames {
    short: HashMap<String, String>,
}

impl ShortNames {
    /// Shortens each full name that stays unique without its schema.
    pub(super) fn of<'a>(tasks: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut bearers: HashMap<&str, usize> = HashMap::new();
        for task in tasks.clone() {
            *bearers.entry(table(task)).or_default() += 1;
        }
        let short = tasks.map(|task| {
            let table = table(task);
            (task.to_owned(), if bearers[table] == 1 { table } else { task }.to_owned())
        });
        Self { short: short.collect() }
    }

    /// The short name, or the full one of a task that is not known.
    pub(super) fn short<'a>(&'a self, task: &'a str) -> &'a str {
        self.short.get(task).map_or(task, String::as_str)
    }

    /// The width of the longest, up to a limit: one long name must not push all others aside.
    pub(super) fn width(&self) -> usize {
        self.short.values().map(|name| name.chars().count()).max().unwrap_or(0).min(40)
    }
}

fn table(task: &str) -> &str {
    task.split_once('.').map_or(task, |(_, table)| table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_left_out_only_where_the_table_is_unique() {
        let tasks = ["raw.orders", "raw.fx", "analytics.fx"];
        let names = ShortNames::of(tasks.into_iter());
        assert_eq!(tasks.map(|task| names.short(task)), ["orders", "raw.fx", "analytics.fx"]);
        assert_eq!(names.short("other.t"), "other.t");
        assert_eq!(names.width(), 12);
    }
}
