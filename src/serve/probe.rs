//! Whether the replicas can be reached, for `/readyz`. The warehouse is left asleep: how it answers is known by runs.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Shared, in_a_line};
use crate::{
    pg::{self, Session},
    run::reach,
};

/// How often a source is asked that answered, and one that did not.
const EVERY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5));

/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Logs in to each replica and out again, until the service ends.
pub(super) async fn probe(shared: Arc<Shared>, ended: CancellationToken) {
    loop {
        let are_there = tokio::select! {
            () = ended.cancelled() => return,
            are_there = once(&shared) => are_there,
        };
        let pause = if are_there { EVERY.0 } else { EVERY.1 };
        tokio::select! {
            () = ended.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

async fn once(shared: &Shared) -> bool {
    let (project, mut are_there) = (shared.project(), true);
    let what = |name: &str| format!("source {name}");
    // A service is no database: to ask it costs of its allowance, and what was loaded from it is there without it.
    let replicas = project.sources.iter().filter_map(|(name, config)| Some((name, config.replica()?)));
    let replicas: Vec<_> = replicas.collect();
    let names: Vec<String> = replicas.iter().map(|(name, _)| what(name)).collect();
    shared.health.waits_only_for("source ", &names);
    for (name, replica) in replicas {
        let session = Session::new("barncat readiness");
        let asked = async {
            let endpoint = reach::replica_endpoint(&project, &shared.environment, replica)
                .map_err(|error| in_a_line(&error))?;
            pg::connect(&endpoint, &session).await.map(drop).map_err(|error| in_a_line(&error))
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(())) => shared.health.has(&what(name)),
            Ok(Err(why)) => {
                are_there = false;
                shared.health.waits_for(&what(name), why);
            }
            Err(_) => {
                are_there = false;
                shared.health.waits_for(&what(name), format!("no answer for {} s", PATIENCE.as_secs()));
            }
        }
    }
    are_there
}
