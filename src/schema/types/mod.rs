//! How a source's types arrive, one file a kind of warehouse.

mod builtin;
pub(super) mod postgres;
pub(super) mod redshift;
