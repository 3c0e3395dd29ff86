//! `[warehouse]` of the kind `redshift`: which cluster or workgroup, and as whom.

use super::{Keys, Template};

/// How a Redshift warehouse is reached: by its Data API.
#[derive(Debug, Clone)]
pub struct RedshiftConfig {
    /// A provisioned cluster, or a serverless workgroup.
    pub target: RedshiftTarget,
    /// The database.
    pub database: Template,
    /// A secret with user and password, by its ARN.
    pub secret: Option<Template>,
    /// The role by which COPY reads the stage: an ARN, or `default`.
    pub copy_role: Template,
    /// Its region, where it is not the one that the AWS tools find.
    pub region: Option<String>,
    /// Another server than Amazon's.
    pub endpoint: Option<Template>,
}

/// Which Redshift.
#[derive(Debug, Clone)]
pub enum RedshiftTarget {
    /// A provisioned cluster.
    Cluster {
        /// Its identifier.
        name: Template,
        /// The database's user; else whom IAM maps to.
        user: Option<Template>,
    },
    /// A serverless workgroup.
    Workgroup {
        /// Its name.
        name: Template,
    },
}

/// Reads the keys of a Redshift warehouse.
pub(super) fn read(keys: &Keys<'_>) -> Option<RedshiftConfig> {
    let (cluster, workgroup) = (keys.template("cluster"), keys.template("workgroup"));
    let user = keys.template("db_user");
    let target = match (cluster, workgroup) {
        (Some(name), None) => Some(RedshiftTarget::Cluster { name, user }),
        (None, Some(name)) => {
            if user.is_some() {
                keys.wrong(
                    "db_user",
                    "is for a cluster: who logs in to a workgroup is said by IAM, or by `secret`",
                );
            }
            Some(RedshiftTarget::Workgroup { name })
        }
        (Some(_), Some(_)) => {
            keys.wrong(
                "cluster",
                "and `workgroup` are both there: a cluster is provisioned, a workgroup serverless",
            );
            None
        }
        (None, None) => {
            if !keys.has("cluster") && !keys.has("workgroup") {
                keys.missing(
                    "workgroup",
                    "workgroup = \"etl\", or cluster = \"etl\" where it is provisioned",
                );
            }
            None
        }
    };
    let needed = |name: &'static str, hint: &str| {
        let found = keys.template(name);
        if !keys.has(name) {
            keys.missing(name, hint);
        }
        found
    };
    let database = needed("database", "database = \"analytics\"");
    let copy_role =
        needed("copy_role", "copy_role = \"default\", or the ARN of a role that may read the stage");
    let (secret, region, endpoint) =
        (keys.template("secret"), keys.string("region"), keys.template("endpoint"));
    Some(RedshiftConfig {
        target: target?,
        database: database?,
        secret,
        copy_role: copy_role?,
        region,
        endpoint,
    })
}
