//! What the traits `Warehouse` and `Staging` promise, tried on Postgres and on Redshift's double by either way.

mod answers;
mod filling;
mod ledger;
mod looking;
mod place;
mod publishing;
mod readers;
mod swept;
mod wrapped;
mod wrapper;
