//! The tasks as a graph: which are selected. Knows names and no engines.

pub mod select;

pub use select::SelectError;
