//! `auth = "iam"`: a token for each login, which what stands for RDS checks by itself.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::Value;

use super::{LOADERS, SOURCE, credentials, write};
use crate::support::{project::Project, rds::Rds, variable};

/// A project whose source and warehouse (and so its control database) are reached by tokens alone.
struct ByIam {
    project: Project,
    source: Rds,
    warehouse: Rds,
}

async fn by_iam(good_for: SignedDuration) -> ByIam {
    let variables = credentials();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let project = Project::with_stage(SOURCE, LOADERS, "url = \"file:./stage\"", &variables).await;
    let replica = variable("BARNCAT_REPLICA_URL");
    let source = Rds::before(&replica, good_for).await;
    let warehouse = Rds::before(&project.database.url(), good_for).await;
    let (_, shop) = replica.rsplit_once('/').expect("an address with a database");
    let url = project.database.url();
    let (_, database) = url.rsplit_once('/').expect("an address with a database");
    project.write("source.pem", source.authority());
    project.write("warehouse.pem", warehouse.authority());
    let of = |url: &str, ca: &str| {
        format!(
            "url = \"{url}\"\nauth = \"iam\"\nregion = \"eu-west-1\"\ntls = {{ mode = \"verify-full\", ca = \"{ca}\" }}"
        )
    };
    let in_warehouse = of(&warehouse.url(database), "warehouse.pem");
    // Each slow table is read in a snapshot of its own, by sessions of its own.
    let in_source = format!("snapshot_for = \"1s\"\n{}", of(&source.url(shop), "source.pem"));
    write(&project, &in_source, &in_warehouse, &in_warehouse);
    ByIam { project, source, warehouse }
}

/// A token is believed for a few seconds here, and a run takes longer: none is used for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_login_has_a_token_of_its_own() {
    let by = by_iam(SignedDuration::from_secs(5)).await;
    let outcome = by.project.run(&["--jobs", "1", "-v"]).await;
    by.project.assert_equal(&["orders", "riders"]).await;
    assert_eq!(outcome["tasks"].as_array().map(Vec::len), Some(5), "{outcome:#}");
    assert!(outcome["seconds"].as_f64().is_some_and(|seconds| seconds > 6.0), "{outcome:#}");
    for (front, different) in [(&by.source, 3), (&by.warehouse, 1)] {
        let logins = front.logins();
        // Those of one second are the same text.
        let tokens: BTreeSet<&String> = logins.iter().map(|(token, _)| token).collect();
        assert!(
            logins.len() >= 3 && tokens.len() >= different,
            "{} of {} logins",
            tokens.len(),
            logins.len()
        );
        for (token, checked) in &logins {
            assert_eq!(checked, &Ok(()), "{token}");
        }
    }
}

#[tokio::test]
async fn a_token_is_never_told_and_a_refused_one_is_one_clear_error() {
    let by = by_iam(SignedDuration::from_secs(900)).await;
    for arguments in [["run", "-vv"], ["doctor", "-vv"]] {
        let output = by.project.barncat(&arguments, &[("AWS_SECRET_ACCESS_KEY", "another")]).await;
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("PAM authentication failed for user \"barncat_warehouse\" (28000)"), "{told}");
        assert!(told.contains("GRANT rds_iam TO the role"), "{told}");
        assert!(!told.contains("X-Amz-"), "{told}");
    }
    let refused = by.warehouse.logins();
    assert!(refused.iter().all(|(_, checked)| checked == &Err("the signature is another one".to_owned())));
    let output = by.project.barncat(&["doctor", "--roles", "--output", "json"], &[]).await;
    let roles: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (sql, policies) = (roles["roles"].to_string(), roles["policies"].to_string());
    assert!(sql.contains("GRANT rds_iam TO \\\"barncat_source\\\""), "{sql}");
    let arn = "arn:aws:rds-db:eu-west-1:<account>:dbuser:<resource id of localhost>/barncat_warehouse";
    assert!(policies.contains("rds-db:connect") && policies.contains(arn), "{policies}");
}

#[tokio::test]
async fn without_credentials_nobody_is_asked() {
    let by = by_iam(SignedDuration::from_secs(900)).await;
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("HOME", "/nowhere")];
    let output = by.project.barncat(&["run"], &nobody).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no AWS credentials for rds-db"), "{told}");
    assert!(told.contains("hint: they are found as the AWS tools find them"), "{told}");
    assert_eq!(by.warehouse.logins().len(), 0);
}
