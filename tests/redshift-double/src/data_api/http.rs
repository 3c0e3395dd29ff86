//! HTTP: a request in, an answer out, and the faults of calls.

use std::{io, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{DataApi, error::ApiError, request::Input};
use crate::knobs::{Call, CallFault, Operation};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const JSON: &str = "application/x-amz-json-1.1";

/// Accepts connections; they end with the task.
pub(super) async fn serve(api: DataApi, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve_connection(api.clone(), stream)); }
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(api: DataApi, stream: TcpStream) {
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { api.answer(request).await }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What the Data API says, or how the connection ends.
type Answer = Result<Result<Value, ApiError>, io::Error>;

fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// An error of the service ends hyper's connection: nothing is sent.
fn cut() -> Answer {
    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
}

fn operation_of(name: &str) -> Option<Operation> {
    Some(match name {
        "ExecuteStatement" => Operation::ExecuteStatement,
        "BatchExecuteStatement" => Operation::BatchExecuteStatement,
        "DescribeStatement" => Operation::DescribeStatement,
        "GetStatementResult" => Operation::GetStatementResult,
        "CancelStatement" => Operation::CancelStatement,
        "ListStatements" => Operation::ListStatements,
        _ => return None,
    })
}

/// The key's id out of the signature, which is the caller; the signature itself is not verified, but
/// must be for this service and region.
fn caller(headers: &HeaderMap, region: &str) -> Result<String, ApiError> {
    let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = text.split_once("Credential=").map(|(_, rest)| rest).unwrap_or_default();
    let scope: Vec<_> = scope.split(',').next().unwrap_or_default().split('/').collect();
    match scope[..] {
        [key, _, signed, "redshift-data", "aws4_request"] if signed == region => Ok(key.to_owned()),
        [_, _, _, _, _] => {
            Err(ApiError::denied("Credential should be scoped to a valid region and service."))
        }
        _ => Err(ApiError::unsigned()),
    }
}

impl DataApi {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
        let target = request.headers().get(TARGET).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = target.strip_prefix("RedshiftData.").unwrap_or_default().to_owned();
        let principal = caller(request.headers(), &self.engine.settings().region);
        let typed = request.headers().get(CONTENT_TYPE).is_some_and(|value| value == JSON);
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let input: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.engine.knobs().note_call(Call { operation: name.clone(), input: input.clone() });
        let Some(operation) = operation_of(&name).filter(|_| typed) else {
            let error = ApiError::unknown_operation();
            return Ok(answer(error.status, &error.body()));
        };
        let asked = principal.and_then(|principal| Input::new(input.clone(), principal));
        let result = match self.engine.knobs().next_for_call(operation) {
            None => self.call(operation, asked).await,
            Some(fault) => self.answer_wrongly(fault, operation, asked).await?,
        };
        let (status, output) = match &result {
            Ok(body) => (StatusCode::OK, body.clone()),
            Err(error) => (error.status, error.body()),
        };
        self.engine.record().call(&format!("redshift-data:{name}"), &input, status.as_u16(), &output);
        Ok(answer(status, &output))
    }

    async fn answer_wrongly(
        &self,
        fault: CallFault,
        operation: Operation,
        input: Result<Input, ApiError>,
    ) -> Answer {
        let error = match fault {
            CallFault::Throttle => ApiError::throttled(),
            CallFault::ExpiredCredentials => ApiError::expired(),
            CallFault::Deny => ApiError::denied("User is not authorized to perform this action"),
            CallFault::ClockSkew => ApiError::skewed(),
            CallFault::Forget => ApiError::not_found("Query does not exist.", ""),
            CallFault::Refuse => ApiError::internal(),
            CallFault::DoAndRefuse => {
                let _ = self.call(operation, input).await;
                ApiError::internal()
            }
            CallFault::Cut => return cut(),
            CallFault::DoAndCut => {
                let _ = self.call(operation, input).await;
                return cut();
            }
            CallFault::Stall => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return cut();
            }
        };
        Ok(Err(error))
    }

    async fn call(&self, operation: Operation, input: Result<Input, ApiError>) -> Result<Value, ApiError> {
        let input = input?;
        match operation {
            Operation::ExecuteStatement => self.execute(&input).await,
            Operation::BatchExecuteStatement => self.execute_batch(&input).await,
            Operation::DescribeStatement => self.describe(&input).await,
            Operation::GetStatementResult => self.result(&input),
            Operation::CancelStatement => self.cancel(&input).await.map(|done| json!({ "Status": done })),
            Operation::ListStatements => self.list(&input),
            Operation::Any => Err(ApiError::unknown_operation()),
        }
    }
}
