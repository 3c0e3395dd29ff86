//! The binary: parse, run, exit status.

fn main() {}
