//! What belongs to a table and is carried over by a swap.

/// Objects that depend on the table `live` and are carried over.
pub(super) const CARRIED_DEPENDENTS: &str = "
    SELECT 'pg_constraint'::regclass, k.oid FROM live t
    JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'";
