//! The small working project that `init` writes.

use std::path::{Path, PathBuf};

/// A file of the new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Relative to the project's folder.
    pub path: PathBuf,
    /// All of it.
    pub content: String,
}

/// The files of a new project, whose name is that of its folder.
pub fn files(dir: &Path) -> Vec<NewFile> {
    let name = name(dir);
    let file = |path: &str, content: String| NewFile { path: path.into(), content };
    vec![
        file("barncat.toml", PROJECT.replace("name = \"NAME\"", &format!("name = \"{name}\""))),
        file("loaders/shop.toml", LOADER.to_owned()),
        file(".gitignore", "/stage/\n".to_owned()),
    ]
}

/// The folder's name, of letters, digits, `_` and `-` only: it is part of keys in the stage.
fn name(dir: &Path) -> String {
    let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = folder.chars().map(plain).collect();
    if name.is_empty() { "warehouse".to_owned() } else { name }
}

const PROJECT: &str = r#"# A barncat project: what is copied is in loaders/, one row a table.
# ${NAME} is a variable of the environment; ${NAME:-default} has a default.

[project]
name = "NAME"
timezone = "UTC"

[sources.shop]
kind = "postgres"
url = "${SHOP_REPLICA_URL}"   # postgres://user:password@replica.internal:5432/shop
connections = 4               # at most, over all processes
snapshot_for = "10m"          # tables that start within this time are read in one snapshot

[stage]
url = "file:./stage"          # or "s3://bucket/prefix"

[warehouse]
kind = "postgres"
url = "${WAREHOUSE_URL}"      # postgres://user:password@warehouse.internal:5432/warehouse
connections = 16              # at most, over all processes
schema = "analytics"          # where tables go unless their file in loaders/ says otherwise

# What `barncat serve` runs when, in the time zone above.
[schedules]
nightly = { cron = "0 1 * * *" }
# hot = { every = "30m", select = "tag:hot+" }
"#;

const LOADER: &str = r#"# What is copied from one schema of one source. `barncat discover shop` shows its tables.

source = "shop"
schema = "public"
into = "raw_shop"             # the warehouse's schema

[tables]
"*" = "full"                  # all that is not named below, new ones too
# "tmp_*" = "skip"
# customers = { strategy = "full", exclude = ["password_hash"], hash = ["email"] }
# orders = { strategy = "full", tier = "critical" }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_safe_whatever_the_folder_is_called() {
        assert_eq!(name(Path::new("/srv/my shop's")), "my_shop_s");
        assert_eq!(name(Path::new("/")), "warehouse");
        assert_eq!(name(Path::new("/srv/übung")), "_bung");
    }
}
