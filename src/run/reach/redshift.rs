//! From a project's text to Redshift, by either way.

use std::sync::Arc;

use super::{RunError, endpoint};
use crate::{
    aws::{Access, LoginTarget, RedshiftLogins},
    config::{Environment, Project, RedshiftConfig, RedshiftPlace, RedshiftTarget, RedshiftWay, Template},
    pg::Endpoint,
    warehouse::redshift::{DataApiTarget, Options, RedshiftWarehouse},
};

/// The port of Redshift, where a url has none.
const PORT: u16 = 5439;

/// Where Redshift is.
pub struct RedshiftEndpoint {
    way: Way,
    /// The role by which COPY reads the stage.
    copy_role: String,
    /// The stage's region, where the project names it.
    stage_region: Option<String>,
}

/// By which way.
enum Way {
    DataApi { target: DataApiTarget, access: Access },
    Password(Endpoint),
    Logins(Endpoint, Box<(LoginTarget, Access)>),
}

/// What of a project's text says where Redshift is.
pub(super) fn resolve(
    project: &Project,
    environment: &Environment,
    config: &RedshiftConfig,
) -> Result<RedshiftEndpoint, RunError> {
    let resolver = Resolver { environment };
    let way = match &config.way {
        RedshiftWay::DataApi { place, secret } => {
            let (cluster, workgroup, db_user) = match &place.target {
                RedshiftTarget::Cluster { name, user } => {
                    (Some(resolver.text(name)?), None, resolver.optional(user.as_ref())?)
                }
                RedshiftTarget::Workgroup { name } => (None, Some(resolver.text(name)?), None),
            };
            let (database, secret) = (resolver.text(&place.database)?, resolver.optional(secret.as_ref())?);
            let target = DataApiTarget { cluster, workgroup, database, db_user, secret };
            Way::DataApi { target, access: resolver.access(place)? }
        }
        RedshiftWay::Url { url, tls, login } => {
            Way::Password(endpoint((url, tls, login), environment, project, PORT)?)
        }
        RedshiftWay::Host { host, port, place, tls } => {
            let target = match &place.target {
                RedshiftTarget::Cluster { name, user } => LoginTarget::Cluster {
                    cluster: resolver.text(name)?,
                    user: resolver.optional(user.as_ref())?,
                },
                RedshiftTarget::Workgroup { name } => {
                    LoginTarget::Workgroup { workgroup: resolver.text(name)? }
                }
            };
            let (name, database) = (resolver.text(host)?, resolver.text(&place.database)?);
            let endpoint = Endpoint::at(&name, *port, &database, tls, &project.dir)
                .map_err(|source| RunError::Url { place: host.place().to_string(), source })?;
            Way::Logins(endpoint, Box::new((target, resolver.access(place)?)))
        }
    };
    Ok(RedshiftEndpoint {
        way,
        copy_role: resolver.text(&config.copy_role)?,
        stage_region: project.stage.region.clone(),
    })
}

/// The warehouse, with the ledger in this schema.
pub async fn redshift_warehouse(endpoint: RedshiftEndpoint, ledger_schema: String) -> RedshiftWarehouse {
    let RedshiftEndpoint { way, copy_role, stage_region } = endpoint;
    let options = Options { ledger_schema, copy_role, stage_region };
    match way {
        Way::DataApi { target, access } => RedshiftWarehouse::by_data_api(target, &access, options).await,
        Way::Password(endpoint) => RedshiftWarehouse::by_wire(endpoint, options),
        Way::Logins(endpoint, asked) => {
            let (target, access) = *asked;
            let logins = RedshiftLogins::new(target, endpoint.database().to_owned(), &access).await;
            RedshiftWarehouse::by_wire(endpoint.with_logins(Arc::new(logins)), options)
        }
    }
}

struct Resolver<'a> {
    environment: &'a Environment,
}

impl Resolver<'_> {
    fn text(&self, template: &Template) -> Result<String, RunError> {
        Ok(template.resolve(self.environment)?.expose().to_owned())
    }

    /// What resolves to nothing is not there.
    fn optional(&self, template: Option<&Template>) -> Result<Option<String>, RunError> {
        let text = template.map(|template| self.text(template)).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn access(&self, place: &RedshiftPlace) -> Result<Access, RunError> {
        let endpoint = self.optional(place.endpoint.as_ref())?;
        Ok(Access { endpoint, region: place.region.clone(), ..Access::default() })
    }
}
