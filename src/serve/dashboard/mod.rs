//! The pages: views in, HTML out. Read without a script, and brought up to date by one.
//!
//! Nothing here asks a database. Texts are escaped by `maud`; what comes from a database (names, errors) is text in
//! every place, and within [`words::name`] cannot turn the text around it about. No style and no script stands in a page
//! itself: `Content-Security-Policy` forbids both.

mod assets;
mod chart;
mod checks;
mod frame;
mod graph;
mod layered;
mod problem;
mod run;
mod runs;
mod table;
mod tables;
mod today;
mod words;

#[cfg(test)]
pub(super) mod tests;

pub(super) use self::{
    assets::asset,
    checks::checks,
    frame::Frame,
    graph::{Zoom, graph},
    problem::problem,
    run::run,
    runs::runs,
    table::table,
    tables::{Wanted, tables},
    today::today,
};
