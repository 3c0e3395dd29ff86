//! Uploads to S3: in pieces, in bounded memory, encrypted as the project says, aborted when a crash
//! left them.

use std::time::Duration;

use barncat::stage::{Encryption, Seen, SharedStage};
use bytes::Bytes;

use super::place::{LOAD, get, keys, load_of, noise, put};
use crate::support::s3::{Fault, Operation, S3Server};

const PIECE_BYTES: usize = 5 << 20;

#[tokio::test]
async fn a_large_object_goes_up_in_pieces_with_checksums() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    put(&stage, "a/large", &noise(17 << 20)).await.unwrap();
    let pieces = server.faults.seen(Operation::Piece);
    assert_eq!(pieces.len(), 4);
    assert!(pieces.iter().all(|piece| piece.body_bytes < PIECE_BYTES + (1 << 20)));
    put(&stage, "a/small", &noise(1 << 20)).await.unwrap();
    for request in pieces.iter().chain(&server.faults.seen(Operation::Put)) {
        assert!(request.headers.contains_key("x-amz-checksum-sha256"), "{request:?}");
    }
    // The note of the upload's id, and the small object.
    assert_eq!(server.faults.seen(Operation::Put).len(), 2);
    assert_eq!(keys(&stage, "").await, ["a/large", "a/small"]);
}

#[tokio::test]
async fn the_store_is_asked_for_what_it_took() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    assert_eq!(stage.look("a/b").await.unwrap(), None);
    let mut upload = stage.put("a/b").await.unwrap();
    upload.write(Bytes::from(noise(1000))).await.unwrap();
    let kept = upload.finish().await.unwrap();
    assert_eq!(stage.look("a/b").await.unwrap(), Some(Seen { bytes: 1000, checksum: kept.clone() }));
    put(&stage, "a/b", &noise(1008)[8..]).await.unwrap();
    let other = stage.look("a/b").await.unwrap().unwrap();
    assert!(other.bytes == 1000 && other.checksum.is_some() && other.checksum != kept, "{other:?}");
}

#[tokio::test]
async fn an_uploads_id_is_noted_before_it_is_used() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    server.faults.plan(Operation::Put, Fault::Refuse(403, "AccessDenied", "no notes"), 1);
    put(&stage, "a/large", &noise(6 << 20)).await.expect_err("the note cannot be written");
    assert_eq!(server.faults.seen(Operation::Piece).len(), 0);
    assert_all_gone(&server, &stage).await;
}

/// Waits until the upload that was given up is aborted.
async fn assert_all_gone(server: &S3Server, stage: &SharedStage) {
    let gone = async {
        while server.unfinished_uploads() != (vec![], 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the upload is aborted");
    assert_eq!(keys(stage, "").await, [""; 0]);
}

#[tokio::test]
async fn a_slow_server_makes_the_writer_wait() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    server.faults.plan(Operation::Piece, Fault::Stall, 1);
    let mut upload = stage.put("a/b").await.unwrap();
    let mut taken = 0;
    let block = Bytes::from(noise(256 * 1024));
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(300), upload.write(block.clone())).await
    {
        written.unwrap();
        taken += block.len();
        assert!(taken <= 2 * PIECE_BYTES, "{taken} bytes are held");
    }
    assert!(taken > PIECE_BYTES, "{taken}");
    // The call that was given up may have lost a block: the object must not become whole.
    upload.finish().await.expect_err("a block is missing");
    assert_all_gone(&server, &stage).await;
}

#[tokio::test]
async fn after_a_lost_piece_an_object_never_ends_well() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    server.faults.plan(Operation::Piece, Fault::Refuse(403, "AccessDenied", "not now"), 1);
    let mut upload = stage.put("a/b").await.unwrap();
    let mut refused = 0;
    for _ in 0..4 {
        refused += usize::from(upload.write(noise(PIECE_BYTES).into()).await.is_err());
    }
    assert!(refused >= 2, "the piece is refused, and so is what comes after it");
    upload.finish().await.expect_err("a piece is missing");
    assert_all_gone(&server, &stage).await;
}

#[tokio::test]
async fn objects_are_encrypted_as_the_project_says() {
    const KMS_KEY: &str = "arn:aws:kms:eu-west-2:1:key/abc";
    for (encryption, expected) in [
        (Encryption::Bucket, (None, None)),
        (Encryption::S3, (Some("AES256"), None)),
        (Encryption::Kms(KMS_KEY.to_owned()), (Some("aws:kms"), Some(KMS_KEY))),
    ] {
        let server = S3Server::start().await;
        let stage = server.stage_with(encryption).await;
        put(&stage, "a/small", b"content").await.unwrap();
        put(&stage, "a/large", &noise(6 << 20)).await.unwrap();
        let mut requests = server.faults.seen(Operation::Put);
        requests.extend(server.faults.seen(Operation::CreateUpload));
        // The small object, the note of the large one's upload, and that upload.
        assert_eq!(requests.len(), 3);
        for request in requests {
            let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
            let sent = (
                header("x-amz-server-side-encryption"),
                header("x-amz-server-side-encryption-aws-kms-key-id"),
            );
            assert_eq!(sent, expected, "{}", request.path_and_query);
        }
    }
}

/// An upload as a crash leaves it.
async fn crash_in_mid_upload(server: &S3Server, stage: &SharedStage) {
    let mut upload = stage.put(&load_of("orders").manifest()).await.unwrap();
    for _ in 0..2 {
        upload.write(noise(PIECE_BYTES).into()).await.unwrap();
    }
    std::mem::forget(upload);
    server.holds_pieces(2).await;
}

#[tokio::test]
async fn the_next_run_aborts_what_a_crash_left() {
    let server = S3Server::start().await;
    crash_in_mid_upload(&server, &server.stage().await).await;
    assert_eq!(server.unfinished_uploads().0.len(), 1);
    let stage = server.stage().await;
    assert_eq!(stage.sweep("deliveries/", &|load| load == LOAD).await.unwrap(), 1);
    assert_eq!(server.unfinished_uploads(), (vec![], 0));
    assert_eq!(server.faults.seen(Operation::Abort).len(), 1);
    // The note is gone too.
    assert_eq!(stage.sweep("deliveries/", &|_| true).await.unwrap(), 0);
    assert_eq!(server.faults.seen(Operation::Abort).len(), 1);
}

#[tokio::test]
async fn an_upload_that_the_bucket_aborted_itself_is_swept_without_an_error() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    crash_in_mid_upload(&server, &stage).await;
    server.faults.plan(Operation::Abort, Fault::DoAndRefuse(500, "InternalError"), 1);
    assert_eq!(stage.sweep("deliveries/", &|_| true).await.unwrap(), 1);
    assert_eq!(stage.sweep("deliveries/", &|_| true).await.unwrap(), 0);
}

#[tokio::test]
async fn an_upload_without_a_note_is_found_where_the_store_lists_uploads() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    server.faults.plan(Operation::CreateUpload, Fault::DoAndRefuse(403, "AccessDenied"), 1);
    let key = load_of("orders").manifest();
    put(&stage, &key, &noise(6 << 20)).await.expect_err("the answer was lost");
    let ids = server.unfinished_uploads().0;
    assert_eq!(ids.len(), 1);
    let listing = format!(
        "<ListMultipartUploadsResult><Upload><Key>below/here/{key}</Key><UploadId>{}</UploadId></Upload>\
         <Upload><Key>below/here/another/{key}x/y</Key><UploadId>of somebody else</UploadId></Upload>\
         </ListMultipartUploadsResult>",
        ids[0]
    );
    server.faults.plan(Operation::ListUploads, Fault::Answer(listing), 1);
    assert_eq!(stage.sweep("deliveries/", &|load| load == LOAD).await.unwrap(), 1);
    assert_eq!(server.unfinished_uploads(), (vec![], 0));
}

#[tokio::test]
async fn an_object_completed_by_a_lost_answer_is_whole_and_its_note_goes() {
    let server = S3Server::start().await;
    let stage = server.stage().await;
    let (key, content) = (load_of("orders").manifest(), noise(11 << 20));
    server.faults.plan(Operation::Complete, Fault::DoAndRefuse(503, "SlowDown"), 1);
    put(&stage, &key, &content).await.expect("it is there");
    assert!(get(&stage, &key).await.unwrap() == content);
    assert_eq!(stage.sweep("deliveries/", &|_| true).await.unwrap(), 0);
}
