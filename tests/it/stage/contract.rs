//! What the traits `Stage` and `Upload` promise, tried on each kind of stage.

use std::{fs, time::Duration};

use barncat::stage::{Object, StageError};
use bytes::Bytes;
use futures_util::future::join_all;

use super::place::{LOAD, Place, get, keys, load_of, noise, put};

super::place::for_each_stage![
    an_object_is_put_listed_read_and_deleted,
    an_object_without_bytes_is_an_object,
    a_large_object_arrives_whole,
    a_second_put_takes_the_place_of_the_first,
    nothing_is_seen_of_an_unfinished_object,
    a_reader_sees_the_old_object_until_the_new_one_is_whole,
    an_object_that_is_not_there_is_missing_by_name,
    thousands_of_objects_are_listed_and_deleted,
    objects_go_up_side_by_side,
    names_of_any_kind_are_kept_apart,
    a_sweep_takes_what_dead_loads_left_and_nothing_else,
];

async fn an_object_is_put_listed_read_and_deleted(place: Place) {
    let key = load_of("orders").manifest();
    put(&place.stage, &key, b"content").await.expect("it is written");
    assert_eq!(
        place.stage.list("deliveries/").await.expect("a listing"),
        [Object { key: key.clone(), bytes: 7 }]
    );
    assert_eq!(keys(&place.stage, "deliveries/test/").await, [""; 0]);
    assert_eq!(get(&place.stage, &key).await.expect("it is read"), b"content");
    place.stage.delete(std::slice::from_ref(&key)).await.expect("it is deleted");
    assert_eq!(keys(&place.stage, "deliveries/").await, [""; 0]);
    place.stage.delete(&[key]).await.expect("what is gone is no error");
}

async fn an_object_without_bytes_is_an_object(place: Place) {
    put(&place.stage, "a/empty", b"").await.expect("it is written");
    assert_eq!(place.stage.list("a/").await.unwrap(), [Object { key: "a/empty".into(), bytes: 0 }]);
    assert_eq!(get(&place.stage, "a/empty").await.unwrap(), b"");
}

async fn a_large_object_arrives_whole(place: Place) {
    let content = noise((12 << 20) + 1);
    put(&place.stage, "a/large", &content).await.expect("it is written");
    assert_eq!(
        place.stage.list("a/").await.unwrap(),
        [Object { key: "a/large".into(), bytes: content.len() as u64 }]
    );
    assert!(get(&place.stage, "a/large").await.unwrap() == content);
    assert_eq!(place.unfinished(), 0);
}

async fn a_second_put_takes_the_place_of_the_first(place: Place) {
    put(&place.stage, "a/b", b"the first one").await.unwrap();
    put(&place.stage, "a/b", b"the second").await.unwrap();
    assert_eq!(get(&place.stage, "a/b").await.unwrap(), b"the second");
}

async fn nothing_is_seen_of_an_unfinished_object(place: Place) {
    for bytes in [10, 6 << 20] {
        let key = load_of("orders").manifest();
        for dropped in [true, false] {
            let mut upload = place.stage.put(&key).await.unwrap();
            upload.write(noise(bytes).into()).await.unwrap();
            upload.write(Bytes::from_static(b"more")).await.unwrap();
            assert_eq!(keys(&place.stage, "deliveries/").await, [""; 0]);
            assert!(matches!(get(&place.stage, &key).await, Err(StageError::Missing { .. })));
            match dropped {
                true => drop(upload),
                false => upload.abort().await,
            }
            let gone = async {
                while place.unfinished() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), gone).await.expect("nothing is left of it");
            assert_eq!(keys(&place.stage, "deliveries/").await, [""; 0]);
        }
    }
}

async fn a_reader_sees_the_old_object_until_the_new_one_is_whole(place: Place) {
    let (old, new) = (noise(6 << 20), vec![7; 7 << 20]);
    put(&place.stage, "a/b", &old).await.unwrap();
    let mut upload = place.stage.put("a/b").await.unwrap();
    upload.write(new.clone().into()).await.unwrap();
    assert!(get(&place.stage, "a/b").await.unwrap() == old);
    upload.finish().await.unwrap();
    assert!(get(&place.stage, "a/b").await.unwrap() == new);
}

async fn an_object_that_is_not_there_is_missing_by_name(place: Place) {
    put(&place.stage, "a/b", b"another").await.unwrap();
    for key in ["a/c", "x/y/z"] {
        let error = get(&place.stage, key).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the stage has no object {key}"));
    }
}

async fn thousands_of_objects_are_listed_and_deleted(place: Place) {
    let all: Vec<String> = (0..2_300).map(|number| format!("many/{}/{number:05}", number % 7)).collect();
    for key in &all {
        let file = place.file(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, key).unwrap();
    }
    let listed = keys(&place.stage, "many/").await;
    let mut sorted = all.clone();
    sorted.sort();
    assert!(listed == sorted, "{} of {} objects are listed in their order", listed.len(), all.len());
    place.stage.delete(&all).await.expect("they are deleted");
    assert_eq!(keys(&place.stage, "many/").await, [""; 0]);
}

async fn objects_go_up_side_by_side(place: Place) {
    let content = noise(6 << 20);
    let puts = (0..6).map(|number| {
        let (stage, content) = (place.stage.clone(), &content[number..]);
        async move { put(&stage, &format!("a/{number}"), content).await }
    });
    for result in join_all(puts).await {
        result.expect("it is written");
    }
    for number in 0..6 {
        assert!(get(&place.stage, &format!("a/{number}")).await.unwrap() == content[number..]);
    }
}

async fn names_of_any_kind_are_kept_apart(place: Place) {
    let names = [
        "orders",
        "Orders",
        "ORDERS",
        "or ders",
        " orders",
        "orders ",
        "or.ders",
        ".orders",
        "..",
        "../orders",
        "../../etc/passwd",
        "/orders",
        "or/ders",
        "or\\ders",
        "🦉",
        "naïve",
        "a%2fb",
        "a=2fb",
        "a+b",
        "a?b#c&d",
        "a\"b'c",
        "a:b*c|d<e>",
        "con",
        "\u{1}\t\n",
        "-",
        "~",
        "orders_orders_orders_orders_orders_orders_orders_orders_orders0",
    ];
    for name in names {
        put(&place.stage, &load_of(name).manifest(), name.as_bytes())
            .await
            .unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    assert_eq!(keys(&place.stage, "deliveries/production/").await.len(), names.len());
    for name in names {
        let load = load_of(name);
        assert_eq!(keys(&place.stage, &load.table_prefix()).await, [load.manifest()], "{name:?}");
        assert_eq!(get(&place.stage, &load.manifest()).await.unwrap(), name.as_bytes(), "{name:?}");
    }
}

async fn a_sweep_takes_what_dead_loads_left_and_nothing_else(place: Place) {
    const LIVE: &str = "01BX5ZZKBKACTAV9WEVGEMMVRZ";
    let dead_key = load_of("orders").manifest();
    let live_key = dead_key.replace(LOAD, LIVE);
    put(&place.stage, &load_of("riders").manifest(), b"whole").await.unwrap();
    place.crash_while_writing(&dead_key).await;
    place.crash_while_writing(&live_key).await;
    let before = place.unfinished();
    let is_dead = |load: &str| load == LOAD;
    assert_eq!(place.stage.sweep("deliveries/", &is_dead).await.expect("it sweeps"), 1);
    assert!(place.unfinished() > 0 && place.unfinished() < before);
    assert_eq!(place.stage.sweep("deliveries/", &is_dead).await.expect("it sweeps"), 0);
    assert_eq!(place.stage.sweep("deliveries/test/", &|_| true).await.expect("it sweeps"), 0);
    assert_eq!(keys(&place.stage, "").await, [load_of("riders").manifest()]);
    assert_eq!(place.stage.sweep("deliveries/", &|_| true).await.expect("it sweeps"), 1);
    assert_eq!(place.unfinished(), 0);
}
