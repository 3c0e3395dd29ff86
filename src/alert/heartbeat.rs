//! The heartbeat: called after each good pass. Who listens hears by its silence that nothing runs any more.

use super::AlertError;
use crate::{
    http::{Call, Http, Method},
    secret::Secret,
};

/// A url that is called.
pub struct Heartbeat {
    pub(super) http: Http,
    pub(super) url: Secret,
}

impl Heartbeat {
    /// Calls it.
    pub async fn beat(&self) -> Result<(), AlertError> {
        let service = "the heartbeat's server";
        let call =
            Call { method: Method::GET, service, url: &self.url, bearer: None, headers: &[], body: None };
        let answer = self.http.call(call).await?;
        match answer.is_done() {
            true => Ok(()),
            false => Err(AlertError::of(service, &answer, answer.status_in_words())),
        }
    }
}
