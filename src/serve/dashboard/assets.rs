//! What pages need beside themselves, compiled in.

use std::sync::LazyLock;

use crate::fingerprint;

/// A file.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Asset {
    pub(in crate::serve) name: &'static str,
    pub(in crate::serve) kind: &'static str,
    pub(in crate::serve) text: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "dashboard.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("assets/dashboard.css"),
    },
    Asset {
        name: "dashboard.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("assets/dashboard.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

/// Another one for each state of the files: whoever has them by it may keep them for ever.
pub(super) static STATE: LazyLock<String> = LazyLock::new(|| {
    let all = fingerprint::of(ASSETS.map(|asset| asset.text));
    all.chars().filter(char::is_ascii_hexdigit).take(12).collect()
});

/// The file of a name.
pub(in crate::serve) fn asset(name: &str) -> Option<Asset> {
    ASSETS.into_iter().find(|asset| asset.name == name)
}

/// Where it is found.
pub(super) fn link(name: &str) -> String {
    format!("/assets/{name}?{}", *STATE)
}
