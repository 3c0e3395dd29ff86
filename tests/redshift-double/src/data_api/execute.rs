//! `ExecuteStatement` and `BatchExecuteStatement` (§7).

use serde_json::{Value, json};

use super::{
    DataApi,
    error::ApiError,
    request::Input,
    statements::{Asked, Statement, Submitted},
};

/// The longest text: of a batch, whether all its statements count together is unconfirmed; here they do.
const MOST_SQL_BYTES: usize = 100_000;
const MOST_STATEMENTS: usize = 40;

impl DataApi {
    pub(super) async fn execute(&self, input: &Input) -> Result<Value, ApiError> {
        let sql = input.text("Sql")?.ok_or_else(|| ApiError::validation("Sql is required"))?;
        let asked = self.asked(input, vec![sql], false, true)?;
        self.submit(input, asked).await
    }

    pub(super) async fn execute_batch(&self, input: &Input) -> Result<Value, ApiError> {
        let sqls = input.texts("Sqls")?;
        if sqls.is_empty() || sqls.len() > MOST_STATEMENTS {
            let text = format!("Sqls must have between 1 and {MOST_STATEMENTS} members");
            return Err(ApiError::validation(text));
        }
        let autocommit = match input.text("ExecutionMode")?.as_deref() {
            None | Some("TRANSACTION") => false,
            Some("AUTO_COMMIT") => true,
            Some(_) => return Err(ApiError::validation("ExecutionMode is TRANSACTION or AUTO_COMMIT")),
        };
        let asked = self.asked(input, sqls, true, autocommit)?;
        self.submit(input, asked).await
    }

    fn asked(
        &self,
        input: &Input,
        sqls: Vec<String>,
        is_batch: bool,
        autocommit: bool,
    ) -> Result<Asked, ApiError> {
        if sqls.iter().map(String::len).sum::<usize>() > MOST_SQL_BYTES {
            return Err(ApiError::validation("Statement text is over the limit of 100 KB"));
        }
        if input.has("SessionId") || input.has("SessionKeepAliveSeconds") {
            return Err(ApiError::validation("this double keeps no sessions"));
        }
        let database = input.text("Database")?;
        let asked = Asked {
            sqls,
            parameters: input.parameters()?,
            is_batch,
            autocommit,
            name: input.text_to("StatementName", 500)?,
            database: database.ok_or_else(|| ApiError::validation("Database is required"))?,
            db_user: input.text_to("DbUser", 128)?,
            secret_arn: input.text("SecretArn")?,
            cluster: input.text_to("ClusterIdentifier", 63)?,
            workgroup: input.text_to("WorkgroupName", 128)?,
            principal: input.principal.clone(),
        };
        self.check_target(&asked)?;
        Ok(asked)
    }

    /// A cluster or a workgroup, each with the ways to log in that it has (§7).
    fn check_target(&self, asked: &Asked) -> Result<(), ApiError> {
        let settings = self.engine.settings();
        let known = match (&asked.cluster, &asked.workgroup) {
            (Some(cluster), None) => *cluster == settings.cluster,
            (None, Some(workgroup)) if asked.db_user.is_none() => *workgroup == settings.workgroup,
            (None, Some(_)) => return Err(ApiError::validation("DbUser is only for a cluster")),
            _ => return Err(ApiError::validation("give ClusterIdentifier or WorkgroupName")),
        };
        if asked.db_user.is_some() && asked.secret_arn.is_some() {
            return Err(ApiError::validation("give DbUser or SecretArn"));
        }
        if known {
            Ok(())
        } else {
            Err(ApiError::validation("Redshift endpoint doesn't exist in this region."))
        }
    }

    async fn submit(&self, input: &Input, asked: Asked) -> Result<Value, ApiError> {
        let (token, wait) = (input.text_to("ClientToken", 64)?, input.wait()?);
        let most = self.engine.settings().active_statements;
        let statement = match self.statements.submit(asked, token, most) {
            Submitted::New(statement) => {
                self.start(&statement);
                statement
            }
            Submitted::Known(statement) => statement,
            Submitted::Mismatch => {
                let text = "the client token was used with other parameters";
                return Err(ApiError::validation(text));
            }
            Submitted::TooMany => return Err(ApiError::too_many_active()),
        };
        if let Some(time) = wait {
            statement.wait(time).await;
        }
        Ok(accepted(&statement, wait.is_some()))
    }
}

fn accepted(statement: &Statement, with_status: bool) -> Value {
    let asked = &statement.asked;
    let mut answer = json!({
        "Id": statement.id,
        "CreatedAt": statement.state().whole.created_at,
        "Database": asked.database,
    });
    let user = asked.db_user.clone().unwrap_or_else(|| format!("IAM:{}", asked.principal));
    answer["DbUser"] = json!(user);
    for (name, value) in [
        ("ClusterIdentifier", &asked.cluster),
        ("WorkgroupName", &asked.workgroup),
        ("SecretArn", &asked.secret_arn),
    ] {
        if let Some(value) = value {
            answer[name] = json!(value);
        }
    }
    if with_status {
        answer["Status"] = json!(statement.status().name());
    }
    answer
}
