//! Services that answer over HTTP, loaded by the built binary into a real Postgres.

mod double;
mod killed;
mod loads;
mod scene;
mod surroundings;
mod work;
