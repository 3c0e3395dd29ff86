//! `deletes = "mark"` on Redshift: the tests of a Postgres warehouse.

use crate::{
    run::marks::{self, LOADERS, SOURCE},
    support::redshift::OnRedshift,
};

async fn loaded() -> OnRedshift {
    let on = OnRedshift::new(SOURCE, LOADERS).await;
    on.project.run(&[]).await;
    on
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_go_are_marked_and_those_that_come_again_are_not() {
    marks::marked_once(&loaded().await.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_load_leaves_marked_rows() {
    marks::whole_with_marks(&loaded().await.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_state_comes_back_with_its_marks() {
    marks::restored_with_marks(&loaded().await.project).await;
}
