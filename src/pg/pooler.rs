//! Whether something stands in between that lends one session to several clients.

use super::{Connection, Endpoint, PgError, Session, connect};

/// How often the sessions are asked in turn: a pooler may hand out different ones now and then.
const ROUNDS: usize = 3;

/// Whether two connections can share a session of the server, as behind a pooler by transaction or
/// statement: settings and advisory locks get lost there, or are another client's.
pub async fn sessions_are_shared(endpoint: &Endpoint, session: &Session) -> Result<bool, PgError> {
    let (one, two) = (connect(endpoint, session).await?, connect(endpoint, session).await?);
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        seen.push((backend(&one).await?, backend(&two).await?));
    }
    Ok(are_shared(&seen))
}

async fn backend(connection: &Connection) -> Result<i32, PgError> {
    let row = connection
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .map_err(|error| connection.error("look at the session", &error))?;
    Ok(row.get(0))
}

/// Two open connections of our own have each one server process, and always the same.
fn are_shared(seen: &[(i32, i32)]) -> bool {
    seen.iter().any(|(one, two)| one == two || (one, two) != (&seen[0].0, &seen[0].1))
}

#[cfg(test)]
mod tests {
    use super::are_shared;

    #[test]
    fn one_process_for_each_and_always_the_same_is_no_pooler() {
        assert!(!are_shared(&[(1, 2), (1, 2), (1, 2)]));
        assert!(are_shared(&[(1, 1), (1, 1)]), "one session lent to both");
        assert!(are_shared(&[(1, 2), (2, 1)]), "sessions lent in turn");
    }
}
