//! Keys of replicas that a service has no use for: each is refused with what to write instead.

use crate::config::Keys;

const IN_FILE: [(&str, &str); 2] = [
    ("schema", "a service has no schemas; `into` names the warehouse's"),
    ("consistent", "a service has no snapshots; what has to fit together is asked for in one request"),
];

const IN_ROW: [(&str, &str); 5] = [
    ("where", "`parameters` asks for some rows alone; a model can leave others out"),
    ("exclude", "`columns` names what is taken; all else is left out"),
    ("deletes", "a service does not say what is gone; `strategy = \"full\"` asks for all of it"),
    ("compare_every", "a service has no list of its keys; `strategy = \"full\"` asks for all of it"),
    ("varchar", "`redshift` and the columns' types say what Redshift gets"),
];

/// Refuses what is for a replica's file.
pub(in crate::config) fn refuse_in_file(keys: &Keys<'_>) {
    refuse(keys, &IN_FILE);
}

/// Refuses what is for a replica's row.
pub(in crate::config) fn refuse_in_row(keys: &Keys<'_>) {
    refuse(keys, &IN_ROW);
}

fn refuse(keys: &Keys<'_>, refused: &[(&'static str, &str)]) {
    for (key, hint) in refused {
        if keys.has(key) {
            keys.know(key);
            keys.wrong_with_hint(key, "is for a replica, and the source is a service", (*hint).to_owned());
        }
    }
}
