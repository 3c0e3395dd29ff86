//! The IAM policies that Redshift needs, as `doctor --roles` prints them.

use serde::Serialize;
use serde_json::Value;

use crate::{
    config::{Environment, Project, RedshiftPlace, RedshiftTarget, RedshiftWay, WarehousePlace},
    warehouse::redshift::{PolicyLogin, PolicyWay, copy_policy, copy_trust, runner_policy},
};

/// One policy.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    /// Whose it is.
    part: &'static str,
    policy: Value,
}

/// Those that a project needs; none where nothing is asked of AWS.
pub(super) fn policies(project: &Project, environment: &Environment) -> Vec<Policy> {
    let WarehousePlace::Redshift(config) = &project.warehouse.place else { return Vec::new() };
    let way = match &config.way {
        RedshiftWay::DataApi { place, secret } => {
            let secret = secret.as_ref().map(|secret| match secret.resolve(environment) {
                Ok(arn) => arn.expose().to_owned(),
                Err(_) => "<the secret's ARN>".to_owned(),
            });
            PolicyWay::DataApi { secret: secret.filter(|arn| !arn.is_empty()), login: login(place) }
        }
        RedshiftWay::Host { place, .. } => PolicyWay::Logins(login(place)),
        RedshiftWay::Url { .. } => PolicyWay::Password,
    };
    let stage = match project.stage.url.resolve(environment) {
        Ok(url) => url.expose().to_owned(),
        Err(_) => "s3://<the bucket>/<the stage>".to_owned(),
    };
    vec![
        Policy { part: "IAM policy of whoever runs barncat", policy: runner_policy(&way, &stage) },
        Policy { part: "IAM policy of the role by which COPY reads the stage", policy: copy_policy(&stage) },
        Policy { part: "who may take that role on", policy: copy_trust() },
    ]
}

fn login(place: &RedshiftPlace) -> PolicyLogin {
    match &place.target {
        RedshiftTarget::Workgroup { .. } => PolicyLogin::Workgroup,
        RedshiftTarget::Cluster { user: Some(_), .. } => PolicyLogin::ClusterUser,
        RedshiftTarget::Cluster { user: None, .. } => PolicyLogin::Cluster,
    }
}

impl Policy {
    /// For people, and a comment for psql.
    pub(super) fn text(&self) -> String {
        format!("-- {}\n/*\n{:#}\n*/\n", self.part, self.policy)
    }
}
