//! What must be known of a warehouse to map types to it.

use std::collections::BTreeMap;

/// What a warehouse can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abilities {
    /// `server_version_num`; 150018 for 15.18.
    pub version: u32,
    /// Types that extensions brought, by extension and type name, as SQL writes them there:
    /// `("hstore", "hstore")` → `public.hstore`.
    pub extension_types: BTreeMap<(String, String), String>,
    /// Whether other sessions' snapshots can be seen (on Postgres: `pg_read_all_stats`).
    pub sees_snapshots: bool,
}
