//! `DescribeStatement`, `CancelStatement` and `ListStatements` (§7).

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    DataApi,
    error::ApiError,
    request::Input,
    statements::{Progress, State, Statement, Status},
};

impl DataApi {
    /// The caller's statement; another caller's is as if it were not there.
    pub(super) fn statement(&self, input: &Input) -> Result<(Arc<Statement>, Option<usize>), ApiError> {
        let (id, number) = input.id()?;
        let statement = self.statements.get(&id, &input.principal);
        let missing = || ApiError::not_found("Query does not exist.", &id);
        let statement = statement.ok_or_else(missing)?;
        let parts = if statement.asked.is_batch { statement.asked.sqls.len() } else { 0 };
        if number.is_some_and(|number| number == 0 || number > parts) {
            return Err(missing());
        }
        Ok((statement, number))
    }

    pub(super) async fn describe(&self, input: &Input) -> Result<Value, ApiError> {
        let (statement, number) = self.statement(input)?;
        if let Some(time) = input.wait()? {
            statement.wait(time).await;
        }
        let state = statement.state();
        Ok(match number {
            Some(number) => part(&statement, &state, number - 1),
            None => whole(&statement, &state),
        })
    }

    /// Whether it was cancelled. The end is awaited a little: a statement that was done already is
    /// `FINISHED` afterwards, whatever the answer said.
    pub(super) async fn cancel(&self, input: &Input) -> Result<bool, ApiError> {
        let (statement, _) = self.statement(input)?;
        let status = statement.status();
        if status.is_terminal() {
            return Err(ApiError::validation(format!(
                "Could not cancel a query that is already in {} state with ID: {}",
                status.name(),
                statement.id
            )));
        }
        statement.cancel();
        statement.wait(Duration::from_millis(100)).await;
        Ok(true)
    }

    pub(super) fn list(&self, input: &Input) -> Result<Value, ApiError> {
        let most = input.number("MaxResults", 0, 100)?.unwrap_or(100);
        let first = match input.text("NextToken")? {
            None => 0,
            Some(token) => token.parse().map_err(|_| ApiError::validation("NextToken is not valid"))?,
        };
        let (status, name) = (input.text("Status")?, input.text("StatementName")?.unwrap_or_default());
        let wanted = |statement: &Statement| {
            statement.asked.principal == input.principal
                && statement.asked.name.as_deref().unwrap_or_default().starts_with(&name)
                && status.as_deref().is_none_or(|wanted| is_of(statement.status(), wanted))
        };
        let found: Vec<_> = self.statements.all().into_iter().filter(|statement| wanted(statement)).collect();
        let page = found.iter().skip(first).take(usize::try_from(most).unwrap_or(100));
        let page: Vec<_> = page.map(|statement| listed(statement)).collect();
        let mut answer = json!({ "Statements": page });
        if first + page.len() < found.len() {
            answer["NextToken"] = json!((first + page.len()).to_string());
        }
        Ok(answer)
    }
}

fn is_of(status: Status, wanted: &str) -> bool {
    wanted == "ALL" || wanted == status.name()
}

fn listed(statement: &Statement) -> Value {
    let (asked, state) = (&statement.asked, statement.state());
    let mut item = json!({
        "Id": statement.id,
        "Status": state.whole.status.name(),
        "CreatedAt": state.whole.created_at,
        "UpdatedAt": state.whole.updated_at,
        "IsBatchStatement": asked.is_batch,
        "QueryString": asked.sqls[0],
    });
    if asked.is_batch {
        item["QueryStrings"] = json!(asked.sqls);
    }
    if let Some(name) = &asked.name {
        item["StatementName"] = json!(name);
    }
    item
}

/// The members that a statement and a part of a batch have in common.
fn common(id: &str, progress: &Progress) -> Map<String, Value> {
    let outcome = progress.outcome.as_deref();
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("Id", json!(id));
    set("Status", json!(progress.status.name()));
    set("CreatedAt", json!(progress.created_at));
    set("UpdatedAt", json!(progress.updated_at));
    set("Duration", json!(progress.duration_ns));
    set("RedshiftQueryId", json!(progress.query_id));
    set("ResultRows", json!(outcome.map_or(-1, crate::engine::outcome::Outcome::count)));
    set("ResultSize", json!(outcome.map_or(-1, crate::engine::outcome::Outcome::size_bytes)));
    set("HasResultSet", json!(outcome.is_some_and(|outcome| outcome.columns.is_some())));
    if let Some(error) = &progress.error {
        set("Error", json!(error));
    }
    members
}

fn part(statement: &Statement, state: &State, number: usize) -> Value {
    let mut members = common(&format!("{}:{}", statement.id, number + 1), &state.parts[number]);
    members.insert("QueryString".to_owned(), json!(statement.asked.sqls[number]));
    members.into()
}

fn whole(statement: &Statement, state: &State) -> Value {
    let asked = &statement.asked;
    let mut progress = state.whole.clone();
    if !asked.is_batch && progress.status == Status::Finished {
        progress.outcome = state.parts[0].outcome.clone();
    }
    let mut members = common(&statement.id, &progress);
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("RedshiftPid", json!(state.pid));
    set("Database", json!(asked.database));
    set("ResultFormat", json!("JSON"));
    for (name, value) in [
        ("DbUser", &asked.db_user),
        ("ClusterIdentifier", &asked.cluster),
        ("WorkgroupName", &asked.workgroup),
        ("SecretArn", &asked.secret_arn),
    ] {
        if let Some(value) = value {
            set(name, json!(value));
        }
    }
    if asked.is_batch {
        let has_rows = |part: &Progress| part.outcome.as_ref().is_some_and(|o| o.columns.is_some());
        set("HasResultSet", json!(state.parts.iter().any(has_rows)));
        let parts: Vec<_> = (0..state.parts.len()).map(|number| part(statement, state, number)).collect();
        set("SubStatements", json!(parts));
    } else {
        set("QueryString", json!(asked.sqls[0]));
    }
    members.into()
}
