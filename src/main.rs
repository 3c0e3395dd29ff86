//! The binary: parse, run, exit status.

use std::process::ExitCode;

/// Gives freed memory back; glibc's arenas keep a multiple of it under several streams at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(barncat::cli::main(std::env::args_os()))
}
