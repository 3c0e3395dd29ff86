//! One fault at a time: the live table stays right, what is told is clear, and what could not be done is
//! done by the next run. docs/REDSHIFT.md lists these faults.

use std::time::Duration;

use redshift_double::{
    CallFault::{
        self, ClockSkew, Cut, Deny, DoAndCut, DoAndRefuse, ExpiredCredentials, Forget, Refuse, Throttle,
    },
    Operation::{self, BatchExecuteStatement, DescribeStatement, ExecuteStatement, GetStatementResult},
    SqlError,
    StatementFault::{self, Abort, Disconnect, DoAndFail, Fail, Hang, LoseRows, SlowStart, Wait},
    faults,
};

use crate::support::{
    project::INTO,
    redshift::OnRedshift,
    s3::{self, Fault},
};

pub(super) const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 500) n;";

pub(super) const DIGEST: &str = "SELECT id || ' ' || note FROM {t} ORDER BY id";

/// The time in which the test does something while a statement waits.
const MEANWHILE: Duration = Duration::from_millis(700);

/// What goes wrong.
enum Goes {
    Statement(&'static str, StatementFault, u32),
    Call(Operation, CallFault, u32),
    Stage(s3::Operation, Fault, u32),
    /// Somebody does this in the warehouse while that statement waits; `{staging}` is the staging table.
    Meanwhile(&'static str, &'static str),
    /// The last object whose key holds the second text goes from the stage while that statement waits.
    Deleted(&'static str, &'static str),
}

/// How the run ends that meets it.
enum Ends {
    /// Well.
    Well,
    /// With an error that says all this.
    Says(&'static [&'static str]),
}

use Ends::{Says, Well};
use Goes::{Call, Deleted, Meanwhile, Stage, Statement};

fn error(text: &str) -> StatementFault {
    Fail(SqlError::new("XX000", text))
}

fn conflict() -> SqlError {
    faults::serializable_violation(100_017)
}

/// One project meets them one after another. With one attempt each an error is seen by whoever runs it.
async fn meet(attempts: u32, more: &str, cases: Vec<(Goes, Ends)>) {
    let loaders = format!("[tables]\norders = {{ strategy = \"full\", attempts = {attempts}{more} }}\n");
    let on = OnRedshift::new(SOURCE, &loaders).await;
    on.project.run(&[]).await;
    for (number, (goes, ends)) in cases.into_iter().enumerate() {
        met(&on, number, &goes, &ends).await;
    }
}

async fn met(on: &OnRedshift, number: usize, goes: &Goes, ends: &Ends) {
    let told = plan(on, goes);
    change(on, number).await;
    let (output, ()) =
        tokio::join!(on.project.barncat(&["run", "--output", "json"], &[]), meanwhile(on, goes));
    let status = output.status.code();
    let answer =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert_eq!(on.double.knobs().left() + on.s3.faults.left(), 0, "{told} did not happen");
    on.double.knobs().clear();
    on.s3.faults.clear();
    match ends {
        Well => assert_eq!(status, Some(0), "{told}: {answer}"),
        Says(all) => {
            assert_eq!(status, Some(1), "{told}: {answer}");
            for words in *all {
                assert!(answer.contains(words), "{told}: `{words}` is not in {answer}");
            }
        }
    }
    if !matches!(goes, Meanwhile(..)) {
        let rows = on.text(&format!("SELECT count(*)::text FROM {INTO}.orders")).await;
        assert_eq!(rows, "500", "{told}");
    }
    assert_mended(on, number, &told).await;
}

async fn change(on: &OnRedshift, number: usize) {
    let sql = format!("UPDATE {}.orders SET note = 'new {number}' WHERE id = 1", on.project.source.name());
    on.project.source.run_on_primary(&sql).await;
}

/// A run that meets a fault, which was planned, and the next one; `number` counts them.
pub(super) async fn run_with_fault(on: &OnRedshift, number: usize, fault: &str) {
    // The fault is planned already: what the source is asked for does not meet it.
    change(on, number).await;
    on.project.try_run(&[]).await;
    assert_eq!(on.double.knobs().left(), 0, "{fault} did not happen");
    on.double.knobs().clear();
    let rows = on.text(&format!("SELECT count(*)::text FROM {INTO}.orders")).await;
    assert_eq!(rows, "500", "{fault}");
    assert_mended(on, number, fault).await;
}

/// The next run needs no hand, and of the one with the fault nothing is left.
async fn assert_mended(on: &OnRedshift, number: usize, told: &str) {
    on.project.run(&[]).await;
    on.assert_same("orders", DIGEST).await;
    let loads =
        on.text("SELECT count(*) || ' ' || count(DISTINCT coalesce(previous, '')) FROM barncat.loads").await;
    assert_eq!(loads, format!("{0} {0}", number + 2), "{told}: published once");
    assert_eq!(
        on.text(&others("string_agg(relname, ' ')")).await,
        "",
        "{told}: staging and old tables are gone"
    );
}

/// Plans it, and says what it is.
fn plan(on: &OnRedshift, goes: &Goes) -> String {
    let knobs = on.double.knobs();
    match goes {
        Statement(part, fault, times) => {
            knobs.on_statement(part, fault.clone(), *times);
            format!("{fault:?} at {part}, {times} times")
        }
        Call(operation, fault, times) => {
            knobs.on_call(*operation, *fault, *times);
            format!("{fault:?} at {operation:?}, {times} times")
        }
        Stage(operation, fault, times) => {
            on.s3.faults.plan(*operation, fault.clone(), *times);
            format!("{fault:?} at {operation:?} of the stage, {times} times")
        }
        Meanwhile(part, what) | Deleted(part, what) => {
            knobs.on_statement(part, Wait(MEANWHILE), 1);
            format!("{what} while {part} waits")
        }
    }
}

/// Does what somebody else does.
async fn meanwhile(on: &OnRedshift, goes: &Goes) {
    if !matches!(goes, Meanwhile(..) | Deleted(..)) {
        return;
    }
    while on.double.knobs().left() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    match goes {
        Meanwhile(_, sql) => {
            let staging = on.text(&others("quote_ident(relname)")).await;
            let sql = sql.replace("{staging}", &format!("{INTO}.{staging}"));
            on.project.database.connect().await.batch_execute(&sql).await.expect("somebody else may do this");
        }
        Deleted(_, part) => {
            let stage = on.s3.stage_at("stage").await;
            let objects = stage.list("").await.expect("the stage is listed");
            let keys = objects.into_iter().map(|object| object.key).filter(|key| key.contains(part));
            stage.delete(&[keys.max().expect("it is there")]).await.expect("it is deleted");
        }
        _ => {}
    }
}

fn others(column: &str) -> String {
    format!(
        "SELECT coalesce(({column})::text, '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE nspname = '{INTO}' AND relkind = 'r' AND relname <> 'orders'"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_publish_mends() {
    let cases = vec![
        (Statement("alter table", Fail(conflict()), 5), Well),
        (Statement("alter table", DoAndFail(conflict()), 1), Well),
        (Statement("alter table", Fail(faults::relation_does_not_exist()), 1), Well),
        (Statement("alter table", Fail(faults::conflict()), 1), Well),
        (Statement("alter table", Disconnect, 1), Well),
        (Statement("lock ", Abort, 1), Well),
        (Statement("lock ", Hang, 1), Well),
        (Statement("lock ", Fail(faults::could_not_open_relation(17)), 1), Well),
        (Statement("insert into \"barncat\".\"loads\"", Disconnect, 1), Well),
        (Statement("drop table", Abort, 1), Well),
        (Statement("copy ", SlowStart(Duration::from_millis(800)), 1), Well),
    ];
    meet(1, "", cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_made_again() {
    let cases = vec![
        (Call(ExecuteStatement, Throttle, 2), Well),
        (Call(ExecuteStatement, DoAndCut, 1), Well),
        (Call(BatchExecuteStatement, DoAndCut, 1), Well),
        (Call(BatchExecuteStatement, DoAndRefuse, 2), Well),
        (Call(BatchExecuteStatement, Cut, 2), Well),
        (Call(DescribeStatement, Refuse, 2), Well),
        (Call(DescribeStatement, Throttle, 2), Well),
        (Call(GetStatementResult, Cut, 2), Well),
        (
            Stage(s3::Operation::Head, Fault::Refuse(503, "SlowDown", "Please reduce your request rate."), 2),
            Well,
        ),
    ];
    meet(1, "", cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_second_attempt_mends() {
    let cases = vec![
        (Statement("copy ", Fail(conflict()), 1), Well),
        (Statement("copy ", Disconnect, 1), Well),
        (Statement("copy ", Abort, 1), Well),
        (Statement("copy ", LoseRows(1), 1), Well),
        (Statement("copy ", error("terminating connection due to administrator command"), 1), Well),
        (
            Statement(
                "copy ",
                error("S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown"),
                1,
            ),
            Well,
        ),
        (Statement("create table", error("the database system is starting up"), 1), Well),
        (Deleted("copy ", "/part-"), Well),
    ];
    meet(2, "", cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_must_mend_is_told() {
    let role = "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1,ExtRid 2,CanRetry 1";
    let cases = vec![
        (Statement("copy ", LoseRows(1), 1), Says(&["COPY into raw.orders took in 499 rows of 500"])),
        (Statement("copy ", error(role), 1), Says(&["copy into raw.orders", "Access Denied", "`copy_role`"])),
        (
            Statement(
                "copy ",
                error("User arn:aws:redshift:a is not authorized to assume IAM Role arn:aws:iam::1:role/r"),
                1,
            ),
            Says(&["copy into raw.orders", "arn:aws:iam::1:role/r", "must be associated"]),
        ),
        (
            Statement("copy ", error("Disk Full"), 1),
            Says(&["copy into raw.orders", "Disk Full", "free space"]),
        ),
        (
            Statement(
                "copy ",
                error("Query (4711) cancelled by WLM abort action of Query Monitoring Rule \"long\""),
                1,
            ),
            Says(&["copy into raw.orders", "Query Monitoring Rule", "change the rule"]),
        ),
        (
            Deleted("copy ", "redshift.json"),
            Says(&["copy into raw.orders", "redshift.json", "NoSuchKey", "something else"]),
        ),
        (
            Statement("create table", error("permission denied for schema raw"), 1),
            Says(&["create the staging table of raw.orders", "permission denied for schema raw", "GRANT"]),
        ),
        (Call(BatchExecuteStatement, ExpiredCredentials, 1), Says(&["ExpiredToken", "log in again"])),
        (Call(BatchExecuteStatement, Deny, 1), Says(&["AccessDenied", "docs/REDSHIFT.md"])),
        (Call(BatchExecuteStatement, ClockSkew, 1), Says(&["Signature", "clock"])),
        (Call(DescribeStatement, Forget, 1), Says(&["Query does not exist"])),
        (
            Stage(s3::Operation::Head, Fault::Refuse(403, "AccessDenied", "no"), 1),
            Says(&["cannot read the stage", "s3:GetObject"]),
        ),
    ];
    meet(1, "", cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_to_the_tables_meanwhile() {
    let cases = vec![
        (Meanwhile("lock ", "DROP TABLE {staging}"), Says(&["publish raw.orders", "does not exist"])),
        (Meanwhile("lock ", "DROP TABLE raw.orders"), Says(&["publish raw.orders", "does not exist"])),
        (Meanwhile("lock ", "DROP TABLE {staging}; DROP TABLE raw.orders"), Says(&["publish raw.orders"])),
        (Meanwhile("lock ", "ALTER TABLE raw.orders ADD COLUMN theirs int"), Well),
        (Meanwhile("copy ", "DROP TABLE {staging}"), Says(&["raw.orders", "does not exist"])),
    ];
    meet(1, "", cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_never_ends_is_given_up() {
    meet(1, ", time_limit = \"8s\"", vec![(Statement("copy ", Hang, 1), Says(&["longer than 8 s"]))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_over_the_limit_is_told_and_not_sent() {
    let name = "a_rather_long_name_of_a_column_as_they_are_generated";
    let columns: String = (0..1400).map(|number| format!(", {name}_{number} text")).collect();
    let source = format!("CREATE TABLE orders (id int PRIMARY KEY{columns}); INSERT INTO orders VALUES (1)");
    let on = OnRedshift::new(&source, "[tables]\norders = \"full\"\n").await;
    let (status, outcome) = on.project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let error = &outcome["tasks"][0]["error"];
    let message = error["message"].to_string();
    assert!(message.contains("create the staging table of raw.orders: its statement has 1"), "{error:#}");
    assert!(error["hint"].to_string().contains("by wire"), "{error:#}");
    assert_eq!(on.text(&others("count(*)")).await, "0");
}
