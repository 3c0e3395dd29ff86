//! The process itself, as Linux tells it; elsewhere nothing is told.

use std::fs;

use prometheus_client::registry::Registry;

use super::gauge;

/// The unit of `/proc/self/stat`'s times; Linux has had no other for decades.
const TICKS_A_SECOND: f64 = 100.0;

/// Memory in use, in bytes.
pub(in crate::serve) fn resident_memory() -> Option<f64> {
    kilobytes(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:")
        .map(|kilobytes| kilobytes * 1024.0)
}

/// A number of a line of `/proc/self/status`.
fn kilobytes(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

pub(super) fn register(registry: &mut Registry) {
    let mut tell = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            gauge(registry, name, &[], help).set([], value);
        }
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |key: &str| kilobytes(&status, key);
    let files: Vec<_> =
        fs::read_dir("/proc/self/fd").map(|files| files.flatten().collect()).unwrap_or_default();
    let is_socket = |file: &&fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    let is_known = !files.is_empty();
    tell("process_resident_memory_bytes", "Memory in use", resident_memory());
    tell(
        "process_resident_memory_max_bytes",
        "The most memory that was in use",
        line("VmHWM:").map(|kilobytes| kilobytes * 1024.0),
    );
    tell("process_threads", "Threads", line("Threads:"));
    tell("process_open_fds", "Open files", is_known.then_some(files.len() as f64));
    tell(
        "process_sockets",
        "Open connections, to servers and from readers",
        is_known.then(|| files.iter().filter(is_socket).count() as f64),
    );
    tell("process_cpu_seconds", "Time that the processor worked for it", cpu_seconds());
}

/// User and system time together. What stands before them, the program's name, may hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_A_SECOND)
}
