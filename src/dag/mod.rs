//! The tasks as a graph: what needs what, which are critical and why, which are selected, what hangs
//! on what. Knows names and no engines; reads nothing, connects to nothing.

mod critical_path;
mod cycle;
mod edges;
mod error;
mod graph;
mod name;
mod node;
mod project;
pub mod render;
mod resolve;
pub mod select;
pub mod selection;
mod tier;
mod words;

#[cfg(test)]
pub(crate) mod drawn;

pub use self::{
    critical_path::{CriticalPath, PathStep, hanging_seconds},
    edges::{Edge, Way},
    error::GraphError,
    graph::{Graph, NodeId},
    name::TaskName,
    node::{Kind, Need, Node, Origin},
    project::{of_project, read},
    resolve::MayExist,
    select::{Facts, SelectError, asks_for_changes, asks_for_facts},
    tier::Critical,
};
