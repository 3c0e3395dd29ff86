//! Services that answer over HTTP, loaded by the built binary into a real Postgres.

mod double;
mod killed;
mod loads;
mod replay;
mod scene;
mod work;
