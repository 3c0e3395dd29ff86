//! `GetStatementResult` (§7).

use serde_json::{Value, json};

use super::{DataApi, error::ApiError, fields, request::Input, statements::Status};

/// The rows of a page: how the service cuts them is unconfirmed, so pages are small.
const PAGE_ROWS: usize = 1000;
const PAGE_BYTES: usize = 1024 * 1024;

impl DataApi {
    pub(super) fn result(&self, input: &Input) -> Result<Value, ApiError> {
        let (statement, number) = self.statement(input)?;
        let missing = || {
            let text = "Query does not have result. Please check query status with DescribeStatement.";
            ApiError::not_found(text, &statement.id)
        };
        // Of a batch, the result is asked for by a part's id; one that failed has none at all.
        let number = match (statement.asked.is_batch, number) {
            (false, _) => 0,
            (true, Some(number)) => number - 1,
            (true, None) => return Err(missing()),
        };
        let outcome = {
            let state = statement.state();
            let finished = state.whole.status == Status::Finished;
            let outcome = state.parts[number].outcome.clone().filter(|_| finished);
            outcome.ok_or_else(missing)?
        };
        let columns = outcome.columns.as_ref().ok_or_else(missing)?;
        let first = match input.text("NextToken")? {
            None => 0,
            Some(token) => {
                let at = token.parse().ok().filter(|at| *at < outcome.rows.len());
                at.ok_or_else(|| ApiError::validation("NextToken is not valid"))?
            }
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        for row in &outcome.rows[first..] {
            if records.len() == PAGE_ROWS || bytes > PAGE_BYTES {
                break;
            }
            bytes += row.iter().flatten().map(String::len).sum::<usize>();
            let fields =
                columns.iter().zip(row).map(|(column, value)| fields::field(column, value.as_deref()));
            records.push(Value::Array(fields.collect()));
        }
        let next = first + records.len();
        let mut answer = json!({
            "ColumnMetadata": columns.iter().map(fields::metadata).collect::<Vec<_>>(),
            "Records": records,
            "TotalNumRows": outcome.rows.len(),
        });
        if next < outcome.rows.len() {
            answer["NextToken"] = json!(next.to_string());
        }
        Ok(answer)
    }
}
