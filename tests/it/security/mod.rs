//! Attacks: what docs/SECURITY.md says that holds is tried here, on real servers.

mod roles;
mod stage;
mod tls;
