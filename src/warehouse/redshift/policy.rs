//! The IAM policies that a run needs: of whoever runs barncat, and of the role by which COPY reads the stage.

use serde_json::{Value, json};

/// How Redshift is reached, as far as rights go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyWay {
    /// By the Data API, with or without a secret.
    DataApi {
        /// The secret's ARN.
        secret: Option<String>,
        /// Who logs in otherwise.
        login: PolicyLogin,
    },
    /// By wire, with logins that IAM gives.
    Logins(PolicyLogin),
    /// By wire, with a password: nothing is asked of AWS but the stage.
    Password,
}

/// Which call gives a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyLogin {
    /// A provisioned cluster with `db_user`.
    ClusterUser,
    /// A provisioned cluster without.
    Cluster,
    /// A serverless workgroup.
    Workgroup,
}

impl PolicyLogin {
    fn statement(self) -> Value {
        let (action, resource) = match self {
            Self::ClusterUser => (
                "redshift:GetClusterCredentials",
                json!(["<the ARN of the cluster's dbuser>", "<the ARN of the cluster's dbname>"]),
            ),
            Self::Cluster => {
                ("redshift:GetClusterCredentialsWithIAM", json!("<the ARN of the cluster's dbname>"))
            }
            Self::Workgroup => ("redshift-serverless:GetCredentials", json!("<the workgroup's ARN>")),
        };
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn target(self) -> &'static str {
        match self {
            Self::Workgroup => "<the workgroup's ARN>",
            Self::ClusterUser | Self::Cluster => "<the cluster's ARN>",
        }
    }
}

/// The policy of whoever runs barncat, with a stage at this `s3://bucket/prefix`. `logins`: what the other servers'
/// logins need.
pub fn runner_policy(way: &PolicyWay, stage_url: &str, logins: Vec<Value>) -> Value {
    let mut statements = logins;
    let login = match way {
        PolicyWay::DataApi { secret, login } => {
            statements.extend([
                json!({"Effect": "Allow",
                    "Action": ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"],
                    "Resource": login.target()}),
                json!({"Effect": "Allow",
                    "Action": ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult",
                        "redshift-data:CancelStatement", "redshift-data:ListStatements"],
                    "Resource": "*"}),
            ]);
            match secret {
                Some(secret) => {
                    json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret})
                }
                None => login.statement(),
            }
            .into()
        }
        PolicyWay::Logins(login) => Some(login.statement()),
        PolicyWay::Password => None,
    };
    statements.extend(login);
    let (bucket, objects) = arns(stage_url);
    statements.extend([
        json!({"Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": objects}),
        json!({"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            "Resource": bucket}),
    ]);
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The policy of the role by which COPY reads the stage.
pub fn copy_policy(stage_url: &str) -> Value {
    let (bucket, objects) = arns(stage_url);
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects},
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": bucket}]})
}

/// Who may take that role on: Redshift itself.
pub fn copy_trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole",
         "Principal": {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}}]})
}

/// Those of the bucket and of the objects in the stage.
fn arns(stage_url: &str) -> (String, String) {
    let path = stage_url.trim_start_matches("s3://").trim_end_matches('/');
    let bucket = path.split('/').next().unwrap_or_default();
    (format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{path}/*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_on_objects_end_at_the_stage() {
        let policy = copy_policy("s3://acme-etl/stage/");
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::acme-etl/stage/*");
        assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::acme-etl");
        assert_eq!(arns("s3://b"), ("arn:aws:s3:::b".to_owned(), "arn:aws:s3:::b/*".to_owned()));
    }

    #[test]
    fn a_password_needs_the_stage_alone() {
        let policy = runner_policy(&PolicyWay::Password, "s3://b/p", Vec::new()).to_string();
        assert!(!policy.contains("redshift") && policy.contains("s3:PutObject"), "{policy}");
    }

    /// What the page shows is what is printed.
    #[test]
    fn the_page_has_these_policies() {
        let page = include_str!("../../../docs/REDSHIFT.md");
        let shown: Vec<Value> = page
            .split("```json\n")
            .skip(1)
            .filter_map(|rest| serde_json::from_str(rest.split("```").next()?).ok())
            .collect();
        let (url, login) = ("s3://acme-etl/stage", PolicyLogin::Workgroup);
        let way = PolicyWay::DataApi { secret: None, login };
        assert_eq!(shown, [runner_policy(&way, url, Vec::new()), copy_policy(url), copy_trust()]);
    }
}
