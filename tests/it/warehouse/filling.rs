//! Filling: what is published is all that the manifest says, or nothing.

use barncat::{
    error::Class,
    stage::{PartWriter, manifest::Compression},
    warehouse::{Fill, WarehouseError},
};
use tokio::sync::mpsc;

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::{Load, replay},
};

on_each_ground![
    parts_are_filled_whatever_is_in_them,
    a_fill_that_is_told_no_end_is_an_error,
    another_number_of_rows_than_the_manifest_says_is_an_error,
    a_part_that_is_not_what_the_manifest_says_is_an_error,
    a_value_that_does_not_fit_is_an_error_without_it,
];

async fn parts_are_filled_whatever_is_in_them(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.load(&["1,2.50,one\n2,,\n", "3,0.10,\"a, \"\"b\"\" \\N\"\n", "4,0,é🦉\n"]);
    place.published(load).await;
    assert_eq!(place.rows().await, ["1:2.50:one", "2:-:-", "3:0.10:a, \"b\" \\N", "4:0.00:é🦉"]);
    // None at all, and parts without rows.
    for parts in [&[][..], &["", "7,1,x\n", ""][..]] {
        let last = place.warehouse.last_load(&place.load(&[]).table).await.unwrap().expect("a load");
        let load = Load { previous: Some(last.load), ..place.load(parts) };
        let load = place.published(load).await;
        assert_eq!(place.rows().await.len() as u64, load.rows());
    }
}

/// What becomes of a fill, and of the table that was there: nothing.
async fn refused(place: &Place, load: &Load, fills: mpsc::Receiver<Fill>) -> WarehouseError {
    let mut staging = place.warehouse.open_staging(load.spec()).await.unwrap();
    let error = staging.fill(fills, place.stage.clone()).await.expect_err("it is not whole");
    staging.discard().await;
    barncat::pg::settle(std::time::Duration::from_secs(5)).await;
    assert_eq!(place.rows().await, ["1:1.00:old"], "{error}");
    assert_eq!(place.left().await, [""; 0], "{error}");
    assert!(!place.warehouse.is_published(&load.id).await.unwrap());
    error
}

async fn a_fill_that_is_told_no_end_is_an_error(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    let load = Place::after(&first, &["2,2,new\n"]);
    let manifest = load.write(&place.stage).await;
    for parts in [0, 1] {
        let (sender, receiver) = mpsc::channel(1);
        for part in manifest.parts.iter().take(parts) {
            sender.send(Fill::Part(part.clone())).await.unwrap();
        }
        drop(sender);
        let error = refused(&place, &load, receiver).await;
        assert_eq!(error.class(), Class::Passing, "{error}");
    }
}

async fn another_number_of_rows_than_the_manifest_says_is_an_error(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    for rows in [1, 3] {
        let load = Place::after(&first, &["2,2,new\n3,3,new\n"]);
        let mut manifest = load.write(&place.stage).await;
        manifest.parts[0].rows = rows;
        refused(&place, &load, replay(&manifest)).await;
    }
}

async fn a_part_that_is_not_what_the_manifest_says_is_an_error(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    // Of another content and the same size; longer; gone.
    for other in [Some("2,2,bad\n"), Some("2,2,a much longer text\n"), None] {
        let load = Place::after(&first, &["2,2,new\n"]);
        let manifest = load.write(&place.stage).await;
        let key = manifest.parts[0].key.clone();
        match other {
            None => place.stage.delete(&[key]).await.unwrap(),
            Some(text) => {
                let mut writer =
                    PartWriter::create(&place.stage, key, Compression::Zstd).await.expect("it is begun");
                writer.write(text.as_bytes(), 1).await.unwrap();
                let part = writer.finish().await.unwrap();
                assert_ne!(part.sha256, manifest.parts[0].sha256);
            }
        }
        let error = refused(&place, &load, replay(&manifest)).await;
        assert_eq!(error.class(), Class::Passing, "{error}");
    }
}

async fn a_value_that_does_not_fit_is_an_error_without_it(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    for row in ["2,s3cret,new\n", "99999999999999999999,1,s3cret\n", "2,99999999999999.99,s3cret\n"] {
        let load = Place::after(&first, &[row]);
        let manifest = load.write(&place.stage).await;
        let error = refused(&place, &load, replay(&manifest)).await;
        assert_eq!(error.class(), Class::Lasting, "{error}");
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&*error);
        while let Some(error) = cause {
            told += &error.to_string();
            cause = error.source();
        }
        assert!(!told.contains("s3cret") && !told.contains("99999999"), "{told}");
    }
}
