//! One model: a table or view that the warehouse makes by a SELECT, published as a load is.
//!
//! [`make`] makes one attempt. The tables that it reads are read as they are just then; which loads they
//! showed stands in the ledger with the model, so that the next attempt knows whether there is anything to do.

mod error;
mod ledger;
mod make;
mod unchanged;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::{
    error::ModelError,
    ledger::{VIEW, strategy},
    make::make,
    unchanged::asks_for_the_moment,
};
use crate::{
    check::{self, Audit},
    config::{ModelKind, ModelSpec},
    event::CheckOutcome,
    sql::{Dialect, TableName},
    warehouse::{InputUsed, NameOf, PublishKind, Select},
};

/// What the ledger would have as a model's definition, as it is written now.
pub fn definition(spec: &ModelSpec, dialect: Dialect, name_of: NameOf<'_>) -> String {
    let whole = Select::of(&spec.statement, dialect, spec.kind.first_since(), name_of);
    unchanged::definition(spec, &whole)
}

/// One try at one model.
pub struct Attempt<'a> {
    /// The model.
    pub spec: &'a ModelSpec,
    /// The table or view that it makes in this mode.
    pub target: TableName,
    /// What the names in its SQL mean.
    pub name_of: NameOf<'a>,
    /// The published tables that it reads, as far as tasks publish them. Looked up before it runs, so that
    /// what is published meanwhile is met by the next run.
    pub inputs: BTreeMap<String, InputUsed>,
    /// Whether it reads anything that no task publishes: then nobody knows whether that changed.
    pub reads_others: bool,
    /// What is asked of its rows before they are published.
    pub audit: Option<std::sync::Arc<Audit>>,
    /// Which attempt, from 1.
    pub number: u32,
    /// Make it anew even if nothing changed, and an incremental one whole.
    pub full: bool,
    /// When its deadline is or was due, where it is not met.
    pub due_at: Option<Timestamp>,
}

/// How an attempt went well.
#[derive(Debug, Clone)]
pub struct Made {
    /// The load that the table shows now.
    pub load: String,
    /// Why it was done in this way.
    pub reason: String,
    /// How it was published; `None`: nothing changed since it last was.
    pub published: Option<PublishKind>,
    /// Its rows; of new rows alone those that were written; `None` of a view.
    pub rows: Option<u64>,
    /// The moment that its rows show: that of its oldest input.
    pub as_of: Timestamp,
    /// How far its cursor has got.
    pub watermark: Option<String>,
    /// Of what it reads a sample was loaded: how many rows each table gave.
    pub sample: Option<u32>,
    /// What was asked of its rows before they were published.
    pub checks: Vec<CheckOutcome>,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl Made {
    /// With what its checks warn of.
    fn with_warnings(mut self) -> Self {
        self.warnings.extend(check::warnings(&self.checks));
        self
    }
}

impl Attempt<'_> {
    /// Whether it reads a sample: how many rows each table gave.
    fn sample(&self) -> Option<u32> {
        self.inputs.values().filter_map(|input| input.sample).min()
    }

    /// The same of its own rows: a view has none, and shows what is there when it is read.
    fn sample_of_rows(&self) -> Option<u32> {
        self.sample().filter(|_| self.spec.kind != ModelKind::View)
    }
}
