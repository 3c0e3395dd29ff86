//! A first process' duty: processes whose parents have died become its children, and are taken away when they end.
//!
//! Programs that a run starts are waited for by whoever starts them; what those leave behind is nobody's. Nothing is
//! forwarded to them: a program ends with its group.

use std::{collections::HashSet, fs, time::Duration};

use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
use tokio::task::JoinHandle;

use crate::run;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(2);

/// Starts to look. Also where this is not the first process: what is left behind comes to it all the same.
pub(super) fn start() -> JoinHandle<()> {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
        tracing::debug!(%error, "reap.subreaper");
    }
    tokio::spawn(async {
        let mut seen = HashSet::new();
        loop {
            tokio::time::sleep(EVERY).await;
            seen = look(&seen);
        }
    })
}

/// Takes away what had ended at the last look already: whoever waits for a child of its own has had its status by now.
fn look(seen: &HashSet<i32>) -> HashSet<i32> {
    let ended: HashSet<i32> = ended_children().filter(|pid| !run::is_waited_for(*pid)).collect();
    for pid in ended.intersection(seen).filter_map(|pid| Pid::from_raw(*pid)) {
        match waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(_) => tracing::debug!(pid = pid.as_raw_nonzero().get(), "reap.child"),
            Err(error) => tracing::debug!(%error, "reap.child"),
        }
    }
    ended
}

/// Children that have ended and whose status nobody has taken.
fn ended_children() -> impl Iterator<Item = i32> {
    let own = getpid().as_raw_nonzero().get();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(move |entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        // After the name, which may hold anything but ends in a bracket, stand state and parent.
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
        (state == "Z" && parent == own).then_some(pid)
    })
}
