//! The commands that know a project's text alone: `init`, `validate`.

use std::{fs, path::Path};

use super::{assert_told, told};

#[test]
fn a_new_project_has_no_mistake_and_nothing_is_written_over() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let written = told(folder.path(), &["init", "my shop"]);
    assert!(written.starts_with("exit status: 0\n--- stdout\n--- stderr\n"), "{written}");
    let project = folder.path().join("my shop");
    assert_told!(told(&project, &["validate"]));
    let text = fs::read_to_string(project.join("barncat.toml")).expect("it was written");
    assert!(text.contains("name = \"my_shop\""), "{text}");
    for file in ["loaders/shop.toml", ".gitignore"] {
        assert!(project.join(file).is_file(), "{file}");
    }
    // One file that is there keeps all of them from being written.
    fs::remove_file(project.join("barncat.toml")).expect("it is removed");
    let refused = told(&project, &["init"]);
    assert!(refused.starts_with("exit status: 2\n"), "{refused}");
    assert!(refused.contains("error: ./loaders/shop.toml is there already\n"), "{refused}");
    assert!(!project.join("barncat.toml").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().expect("a folder is made");
    write(folder.path(), "file", "");
    assert_told!(told(folder.path(), &["init", "file/below"]));
}

/// Mistakes of every kind, in three files, with a secret among them.
fn wrong(dir: &Path) {
    write(
        dir,
        "barncat.toml",
        "[project]\nname = \"deliveries\"\n\n[sources.shop]\nkind = \"postgrs\"\n\
         url = \"postgres://me:hunter2@replica/shop\"\nconections = 3\n\n[stage]\nurl = \"ftp://x\"\n\n\
         [warehouse]\nkind = \"postgres\"\nurl = \"${WAREHOUSE_URL\"\nlock_wait = \"soon\"\n",
    );
    write(
        dir,
        "loaders/shop.toml",
        "source = \"shop\"\n[tables]\norders = { strategy = \"merge\", cursr = \"updated_at\" }\nriders = \"ful\"\n",
    );
    write(dir, "loaders/torn.toml", "source = \"shp\"\n[tables]\n\"*\" = \"full\n");
}

#[test]
fn every_mistake_is_told_at_once_with_place_and_suggestion() {
    let folder = tempfile::tempdir().expect("a folder is made");
    wrong(folder.path());
    let text = told(folder.path(), &["validate"]);
    assert!(!text.contains("hunter2"), "{text}");
    assert_told!(text);
}

#[test]
fn mistakes_as_json_name_file_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder is made");
    wrong(folder.path());
    let text = told(folder.path(), &["validate", "--output", "json"]);
    assert!(!text.contains("hunter2"), "{text}");
    assert_told!(text);
}

#[test]
fn a_folder_without_a_project_says_how_to_begin() {
    let folder = tempfile::tempdir().expect("a folder is made");
    assert_told!(told(folder.path(), &["validate"]));
    assert_told!(told(folder.path(), &["validate", "--output", "json"]));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder is made");
    assert_told!(told(folder.path(), &["validate", "--project", "nope"]));
    write(folder.path(), "file", "");
    let text = told(folder.path(), &["run", "--project", "file"]);
    assert!(text.contains("error: this is no folder\n  file\n"), "{text}");
}

fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder is made");
    fs::write(path, text).expect("a file is written");
}
