//! What S3 can do to each operation, and what comes of it: the right class, one clear error, nothing
//! half there, and the next try needs no hand.

use std::time::{Duration, Instant};

use barncat::{
    aws::S3Access,
    error::{Class, Failure},
    stage::{self, Encryption, SharedStage, StageError},
};

use futures_util::future::join_all;

use super::place::{LOAD, get, keys, load_of, noise, put};
use crate::support::{
    s3::{BUCKET, Fault, IMPATIENT, Operation, S3Server},
    variable,
};

/// Every operation that a load, a tidying up or a reader asks for.
const OPERATIONS: [Operation; 8] = [
    Operation::Put,
    Operation::CreateUpload,
    Operation::Piece,
    Operation::Complete,
    Operation::Abort,
    Operation::Get,
    Operation::List,
    Operation::Delete,
];

const SLOW_DOWN: Fault = Fault::Refuse(503, "SlowDown", "Please reduce your request rate.");

/// Does what needs the operation, and shows that it was done.
async fn act(server: &S3Server, stage: &SharedStage, operation: Operation) -> Result<(), StageError> {
    let key = load_of("orders").manifest();
    match operation {
        Operation::Put => {
            put(stage, &key, b"content").await?;
            assert_eq!(get(stage, &key).await?, b"content");
        }
        Operation::CreateUpload | Operation::Piece | Operation::Complete => {
            let large = noise(5 << 20);
            put(stage, &key, &large).await?;
            assert!(get(stage, &key).await? == large);
        }
        Operation::Abort => {
            stage.sweep("deliveries/", &|load| load == LOAD).await?;
            assert_eq!(server.unfinished_uploads(), (vec![], 0));
        }
        Operation::Get => assert_eq!(get(stage, "there/already").await?, b"content"),
        Operation::List => assert_eq!(stage.list("there/").await?.len(), 1),
        Operation::Delete => {
            stage.delete(&["there/already".to_owned()]).await?;
            put(stage, "there/already", b"content").await?;
        }
        Operation::Head | Operation::ListUploads => unreachable!("asked for by the others"),
    }
    Ok(())
}

/// A server with what `act` finds there.
async fn prepared(operation: Operation, fault: &Fault) -> (S3Server, SharedStage) {
    let mut server = S3Server::start().await;
    if fault.takes_time() {
        server.patience = IMPATIENT;
    }
    let stage = server.stage().await;
    put(&stage, "there/already", b"content").await.expect("it is written");
    if operation == Operation::Abort {
        let mut upload = stage.put(&load_of("orders").manifest()).await.expect("it begins");
        upload.write(noise(5 << 20).into()).await.expect("it is written");
        std::mem::forget(upload);
        server.holds_pieces(1).await;
    }
    (server, stage)
}

/// Each operation succeeds although its first request goes wrong.
async fn is_tried_again(fault: Fault) {
    join_all(OPERATIONS.map(|operation| succeeds_at_last(operation, fault.clone()))).await;
}

async fn succeeds_at_last(operation: Operation, fault: Fault) {
    let (server, stage) = prepared(operation, &fault).await;
    server.faults.plan(operation, fault.clone(), 1);
    let done = act(&server, &stage, operation).await;
    done.unwrap_or_else(|error| panic!("{operation:?}, {fault:?}: {}", Failure::of(&error)));
    assert_eq!(server.faults.left(), 0, "{operation:?} does not pass there");
    let (uploads, pieces) = server.unfinished_uploads();
    // An upload whose id was lost on its way is left to the listing of uploads, or to the bucket.
    let lost = usize::from(operation == Operation::CreateUpload && is_done(&fault));
    assert_eq!((uploads.len(), pieces), (lost, 0), "{operation:?}, {fault:?}");
}

fn is_done(fault: &Fault) -> bool {
    matches!(fault, Fault::DoAndRefuse(..) | Fault::CutAnswer)
}

#[tokio::test]
async fn throttling_is_tried_again() {
    is_tried_again(SLOW_DOWN).await;
}

#[tokio::test]
async fn an_internal_error_is_tried_again() {
    is_tried_again(Fault::Refuse(500, "InternalError", "We encountered an internal error.")).await;
}

#[tokio::test]
async fn a_connection_cut_in_the_request_is_tried_again() {
    is_tried_again(Fault::CutRequest).await;
}

#[tokio::test]
async fn what_was_done_and_reported_as_failed_is_tried_again() {
    is_tried_again(Fault::DoAndRefuse(500, "InternalError")).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_tried_again() {
    is_tried_again(Fault::Stall).await;
}

#[tokio::test]
async fn bytes_altered_on_their_way_are_tried_again() {
    join_all([Operation::Put, Operation::Piece].map(|at| succeeds_at_last(at, Fault::FlipRequest))).await;
}

#[tokio::test]
async fn a_lost_answer_is_tried_again() {
    // That of the others has a body, which breaks off: see below.
    let with_short_answers = [
        Operation::Put,
        Operation::Piece,
        Operation::Abort,
        Operation::CreateUpload,
        Operation::Complete,
        Operation::Delete,
    ];
    join_all(with_short_answers.map(|at| succeeds_at_last(at, Fault::CutAnswer))).await;
}

/// What fails at each try is one error of the class, within seconds; nothing is half there; and once
/// it has passed, the same works without a hand.
async fn fails(fault: Fault, class: Class, says: &str, hint: Option<&str>) {
    join_all(OPERATIONS.map(|operation| fails_at(operation, fault.clone(), class, says, hint))).await;
}

/// The same for a refusal that no operation treats otherwise than the next one.
async fn is_refused(fault: Fault, class: Class, says: &str, hint: Option<&str>) {
    let some = [Operation::Put, Operation::List, Operation::CreateUpload];
    join_all(some.map(|operation| fails_at(operation, fault.clone(), class, says, hint))).await;
}

async fn fails_at(operation: Operation, fault: Fault, class: Class, says: &str, hint: Option<&str>) {
    let (server, stage) = prepared(operation, &fault).await;
    server.faults.plan(operation, fault, u32::MAX);
    let start = Instant::now();
    let error = act(&server, &stage, operation).await.expect_err("it cannot be done");
    let failure = Failure::of(&error);
    let told = format!("{operation:?}: {failure}, {:?}", failure.hint);
    assert!(start.elapsed() < Duration::from_secs(20), "{told}: after {:?}", start.elapsed());
    assert_eq!(failure.class, class, "{told}");
    let key = match operation {
        Operation::Get | Operation::Delete => "there/already",
        Operation::List => "there/",
        _ => "deliveries/production/raw_shop.orders/",
    };
    assert!(failure.message.contains(&format!("s3://{BUCKET}/below/here/{key}")), "{told}");
    assert!(failure.message.contains(says), "{told}");
    assert!(failure.hint.as_deref().unwrap_or_default().contains(hint.unwrap_or_default()), "{told}");
    assert_eq!(failure.hint.is_some(), hint.is_some(), "{told}");
    assert!(!told.contains(&variable("AWS_SECRET_ACCESS_KEY")), "{told}");
    server.faults.clear();
    assert_eq!(keys(&stage, "deliveries/").await, [""; 0], "{told}");
    act(&server, &stage, operation).await.unwrap_or_else(|error| panic!("{told}; then {error}"));
}

#[tokio::test]
async fn throttling_without_end_is_a_passing_error() {
    fails(SLOW_DOWN, Class::Passing, "SlowDown, Please reduce your request rate.", None).await;
}

#[tokio::test]
async fn an_internal_error_without_end_is_a_passing_error() {
    let fault = Fault::Refuse(500, "InternalError", "We encountered an internal error.");
    is_refused(fault, Class::Passing, "InternalError", None).await;
}

#[tokio::test]
async fn a_gateway_that_speaks_no_s3_is_a_passing_error() {
    is_refused(Fault::RefuseInHtml(502), Class::Passing, "HTTP 502", None).await;
}

#[tokio::test]
async fn connections_that_are_always_cut_are_a_passing_error() {
    fails(Fault::CutRequest, Class::Passing, "", None).await;
}

#[tokio::test]
async fn a_refused_access_is_a_lasting_error_that_names_the_right() {
    let fault = Fault::Refuse(403, "AccessDenied", "Access Denied");
    fails(fault, Class::Lasting, "AccessDenied, Access Denied", Some("the role needs s3:")).await;
}

#[tokio::test]
async fn a_missing_bucket_is_a_lasting_error() {
    let fault = Fault::Refuse(404, "NoSuchBucket", "The specified bucket does not exist");
    is_refused(fault, Class::Lasting, "NoSuchBucket", Some("create the bucket stage-of-a-test")).await;
}

#[tokio::test]
async fn another_region_is_a_lasting_error() {
    let fault = Fault::Refuse(301, "PermanentRedirect", "The bucket must be addressed elsewhere.");
    is_refused(fault, Class::Lasting, "PermanentRedirect", Some("set [stage] region")).await;
}

#[tokio::test]
async fn expired_credentials_are_a_lasting_error() {
    let fault = Fault::Refuse(400, "ExpiredToken", "The provided token has expired.");
    is_refused(fault, Class::Lasting, "ExpiredToken", Some("log in again")).await;
}

#[tokio::test]
async fn what_is_not_known_is_a_lasting_error() {
    let fault = Fault::Refuse(400, "InvalidArgument", "Invalid Argument");
    is_refused(fault, Class::Lasting, "InvalidArgument, Invalid Argument", None).await;
}

#[tokio::test]
async fn each_operation_names_the_right_that_it_needs() {
    for (operation, right) in [
        (Operation::Put, "s3:PutObject"),
        (Operation::Piece, "s3:PutObject"),
        (Operation::Abort, "s3:AbortMultipartUpload"),
        (Operation::Get, "s3:GetObject"),
        (Operation::List, "s3:ListBucket"),
        (Operation::Delete, "s3:DeleteObject"),
    ] {
        let fault = Fault::Refuse(403, "AccessDenied", "Access Denied");
        let (server, stage) = prepared(operation, &fault).await;
        server.faults.plan(operation, fault, 1);
        let error = act(&server, &stage, operation).await.expect_err("it is refused");
        let hint = Failure::of(&error).hint.unwrap_or_default();
        assert!(hint.contains(right), "{operation:?}: {hint}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_passing_error_within_the_limits() {
    let operations = [Operation::Put, Operation::Get, Operation::Piece];
    let says = "no answer within the time limit";
    join_all(operations.map(|at| fails_at(at, Fault::Stall, Class::Passing, says, None))).await;
}

#[tokio::test]
async fn a_server_that_stops_reading_is_tried_again() {
    succeeds_at_last(Operation::Piece, Fault::StallInRequest).await;
}

#[tokio::test]
async fn a_slow_line_is_no_fault() {
    let (server, stage) = prepared(Operation::Piece, &Fault::Slow).await;
    server.faults.plan(Operation::Piece, Fault::Slow, 10);
    let start = Instant::now();
    put(&stage, "a/b", &noise(5 << 20)).await.expect("it arrives");
    assert!(start.elapsed() > server.access().access.patience.answer, "the line is not slow enough");
    assert_eq!(server.faults.left(), 9, "it is not sent twice");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_ends_as_a_whole_object() {
    let (server, stage) = prepared(Operation::Get, &Fault::StallInAnswer).await;
    let content = noise(3 << 20);
    put(&stage, "a/b", &content).await.unwrap();
    for fault in [Fault::CutAnswer, Fault::StallInAnswer, Fault::Shorten] {
        server.faults.plan(Operation::Get, fault.clone(), u32::MAX);
        let reading = tokio::time::timeout(Duration::from_secs(8), get(&stage, "a/b"));
        let error = reading.await.expect("a limit holds").expect_err("it is not whole");
        let failure = Failure::of(&error);
        assert_eq!(failure.class, Class::Passing, "{fault:?}: {failure}");
        assert!(failure.message.contains("a/b"), "{fault:?}: {failure}");
        server.faults.clear();
        assert!(get(&stage, "a/b").await.unwrap() == content);
    }
}

#[tokio::test]
async fn a_failure_in_an_answer_of_status_200_is_a_failure() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    let refusal = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code>\
                   <Message>We encountered an internal error.</Message></Error>";
    server.faults.plan(Operation::Complete, Fault::Answer(refusal.to_owned()), u32::MAX);
    let failure = Failure::of(&put(&stage, "a/b", &noise(6 << 20)).await.expect_err("it is refused"));
    assert_eq!(failure.class, Class::Passing, "{failure}");
    assert!(failure.message.contains("InternalError"), "{failure}");
    assert_eq!(keys(&stage, "a/").await, [""; 0]);
}

#[tokio::test]
async fn an_object_that_may_not_be_deleted_is_an_error() {
    let (server, stage) = prepared(Operation::Delete, &Fault::Answer(String::new())).await;
    let refusal = "<DeleteResult><Error><Key>below/here/there/already</Key><Code>AccessDenied</Code>\
                   <Message>Access Denied</Message></Error></DeleteResult>";
    server.faults.plan(Operation::Delete, Fault::Answer(refusal.to_owned()), 1);
    let error = stage.delete(&["there/already".to_owned()]).await.expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "cannot delete s3://stage-of-a-test/below/here/there/already: AccessDenied, Access Denied"
    );
}

/// What a listing says that gets no answer.
fn at(server: &S3Server, endpoint: Option<String>) -> S3Access {
    let mut access = server.access();
    access.access.endpoint = endpoint;
    access
}

async fn unanswered(access: S3Access) -> Failure {
    let stage = stage::s3(&access, BUCKET, "", Encryption::Bucket).await;
    let failure = Failure::of(&stage.list("a/").await.expect_err("it is not to be had"));
    assert!(failure.message.starts_with("cannot list s3://stage-of-a-test/a/: "), "{failure}");
    failure
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_passing_error() {
    let server = S3Server::start().await;
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for host in [format!("http://{nowhere}"), "http://no-such-host.invalid".to_owned()] {
        let failure = unanswered(at(&server, Some(host))).await;
        assert_eq!(failure.class, Class::Passing, "{failure}");
        assert!(failure.message.contains("connect") || failure.message.contains("dns"), "{failure}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_right_is_a_lasting_error() {
    let server = S3Server::start().await;
    for endpoint in ["localhost", "https//x", "", &server.endpoint().replace("http:", "https:")] {
        let failure = unanswered(at(&server, Some(endpoint.to_owned()))).await;
        assert_eq!(failure.class, Class::Lasting, "{endpoint}: {failure}");
        let hint = failure.hint.as_deref().unwrap_or_default();
        assert!(hint.starts_with("check [stage] endpoint"), "{endpoint}: {failure}, {hint}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_a_lasting_error_and_is_not_told() {
    let server = S3Server::start_with_secret("another one").await;
    let stage = server.stage().await;
    for result in [put(&stage, "a/b", b"").await, stage.list("a/").await.map(|_| ())] {
        let failure = Failure::of(&result.expect_err("it is refused"));
        assert_eq!(failure.class, Class::Lasting);
        assert!(failure.message.contains("SignatureDoesNotMatch"), "{failure}");
        let hint = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        assert_eq!(failure.hint.as_deref(), Some(hint));
        assert!(!failure.message.contains(&variable("AWS_SECRET_ACCESS_KEY")));
    }
}
