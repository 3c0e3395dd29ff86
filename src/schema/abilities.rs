//! What must be known of a warehouse to map types to it.

use std::collections::BTreeMap;

use crate::sql::Dialect;

/// Which kind of warehouse it is, and what it can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Abilities {
    /// PostgreSQL: much depends on its version and extensions.
    Postgres(PostgresAbilities),
    /// Amazon Redshift: the same everywhere.
    Redshift,
}

/// What a Postgres warehouse can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresAbilities {
    /// `server_version_num`; 150018 for 15.18.
    pub version: u32,
    /// Types that extensions brought, by extension and type name, as SQL writes them there:
    /// `("hstore", "hstore")` → `public.hstore`.
    pub extension_types: BTreeMap<(String, String), String>,
    /// Whether other sessions' snapshots can be seen (`pg_read_all_stats`).
    pub sees_snapshots: bool,
}

impl Abilities {
    /// Whose SQL it reads.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Redshift => Dialect::Redshift,
        }
    }

    /// Whether all that must be known of other sessions' snapshots can be; where none need be waited
    /// for, that is nothing.
    pub fn sees_snapshots(&self) -> bool {
        match self {
            Self::Postgres(abilities) => abilities.sees_snapshots,
            Self::Redshift => true,
        }
    }
}
