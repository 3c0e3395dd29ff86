//! Parts and manifests on each stage: counted and hashed on the way there, verified on the way back.

use std::{fs, io::Read as _};

use barncat::{
    error::{Class, Fault as _},
    schema::{Format, RelationKind, TableSchema},
    sql::TableName,
    stage::{
        PartReader, PartWriter, StageError,
        manifest::{Compression, Manifest, Part},
    },
};
use sha2::{Digest, Sha256};

use super::place::{LOAD, Place, load_of, noise, put};

const COMPRESSIONS: [Compression; 2] = [Compression::Zstd, Compression::Gzip];

super::place::for_each_stage![
    rows_and_bytes_are_counted_and_the_hash_is_that_of_the_object,
    what_was_altered_is_noticed_by_name,
    a_manifest_is_read_as_it_was_written,
    a_manifest_that_cannot_be_read_is_a_lasting_error,
];

/// Writes a part of 3 MB that do not compress and 3 MB that do, in rows of 1000 bytes.
async fn write_part(place: &Place, number: u32, compression: Compression) -> (Part, Vec<u8>) {
    let mut raw = noise(3_000_000 + number as usize * 1_000);
    raw.extend(vec![b'x'; 3_000_000]);
    let key = load_of("orders").part(number, Format::Csv, compression);
    let mut writer = PartWriter::create(&place.stage, key, compression).await.expect("it begins");
    for rows in raw.chunks(20_000) {
        writer.write(rows, rows.len() as u64 / 1_000).await.expect("it is written");
    }
    (writer.finish().await.expect("it ends"), raw)
}

async fn read_part(place: &Place, part: &Part, compression: Compression) -> Result<Vec<u8>, StageError> {
    let mut reader = PartReader::open(&place.stage, part, compression).await?;
    let mut raw = Vec::new();
    while let Some(bytes) = reader.next().await? {
        raw.extend_from_slice(&bytes);
    }
    Ok(raw)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn rows_and_bytes_are_counted_and_the_hash_is_that_of_the_object(place: Place) {
    for compression in COMPRESSIONS {
        let (part, raw) = write_part(&place, 0, compression).await;
        assert_eq!((part.rows, part.raw_bytes), (6_000, 6_000_000));
        let file = fs::read(place.file(&part.key)).expect("it lies there");
        assert_eq!((part.bytes, &part.sha256), (file.len() as u64, &hex(&Sha256::digest(&file))));
        assert!(part.bytes < 3_300_000, "{} bytes", part.bytes);
        // Read by others' eyes too: it is a plain zstd or gzip file.
        let plain = match compression {
            Compression::Zstd => zstd::decode_all(&file[..]).expect("zstd"),
            Compression::Gzip => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut plain).expect("gzip");
                plain
            }
        };
        assert!(plain == raw);
        assert!(read_part(&place, &part, compression).await.expect("it is read") == raw);
    }
}

async fn what_was_altered_is_noticed_by_name(place: Place) {
    for compression in COMPRESSIONS {
        let (part, _) = write_part(&place, 0, compression).await;
        let (other, _) = write_part(&place, 1, compression).await;
        let whole = fs::read(place.file(&part.key)).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let mut last = whole.clone();
        last[whole.len() - 1] ^= 0x80;
        let swapped = fs::read(place.file(&other.key)).unwrap();
        let longer = [&whole[..], &[0]].concat();
        let twice = [&whole[..], &whole[..]].concat();
        let altered = [
            flipped,
            last,
            swapped,
            longer,
            twice,
            whole[..whole.len() - 1].to_vec(),
            whole[..9].to_vec(),
            vec![],
        ];
        for (case, altered) in altered.into_iter().enumerate() {
            fs::write(place.file(&part.key), altered).unwrap();
            let error = read_part(&place, &part, compression).await.expect_err("it is noticed");
            let named = matches!(&error, StageError::Altered { key, .. } if *key == part.key);
            assert!(named, "{compression:?}, case {case}: {error}");
            assert_eq!(error.class(), Class::Passing);
            assert!(error.hint().is_some());
        }
        fs::remove_file(place.file(&part.key)).unwrap();
        let error = read_part(&place, &part, compression).await.expect_err("it is noticed");
        assert!(matches!(&error, StageError::Missing { key } if *key == part.key), "{error}");
    }
}

fn manifest(parts: Vec<Part>) -> Manifest {
    let schema = TableSchema { kind: RelationKind::Table, columns: Vec::new(), key: Vec::new() };
    Manifest {
        version: Manifest::VERSION,
        load: LOAD.to_owned(),
        table: TableName::new("raw_shop", "Orders \"🦉\""),
        source: "shop".to_owned(),
        source_table: TableName::new("public", "orders"),
        as_of: "2026-11-22T05:00:00.123456Z".parse().expect("a time"),
        lsn: Some("FFFFFFFF/FFFFFFFF".to_owned()),
        format: Format::Binary,
        compression: Compression::Gzip,
        columns: vec!["id".to_owned(), "näme".to_owned()],
        types: vec!["bigint".to_owned(), "text".to_owned()],
        key: vec!["id".to_owned()],
        schema_hash: format!("v1:{}", "0".repeat(64)),
        schema,
        parts,
        gone: Vec::new(),
        null: None,
        unfit: Vec::new(),
        collections: Vec::new(),
        sha256: String::new(),
    }
}

async fn a_manifest_is_read_as_it_was_written(place: Place) {
    let (part, _) = write_part(&place, 0, Compression::Gzip).await;
    let part_hash = part.sha256.clone();
    let mut written = manifest(vec![part.clone(), Part { rows: u64::MAX - 6_000, ..part }]);
    let load = load_of("orders");
    written.write(place.stage.as_ref(), &load).await.expect("it is written");
    let sha256 = Some(written.sha256.as_str());
    let read = Manifest::read(place.stage.as_ref(), &load.manifest(), sha256).await.expect("it is read");
    assert_eq!(read, written);
    assert_eq!(read.rows(), u64::MAX);
    assert_eq!(read.content_hash(), written.content_hash());
    for other in [None, Some(part_hash.as_str())] {
        let error = Manifest::read(place.stage.as_ref(), &load.manifest(), other).await;
        assert!(matches!(error, Err(StageError::AnotherManifest { .. })), "{other:?}");
    }
}

async fn a_manifest_that_cannot_be_read_is_a_lasting_error(place: Place) {
    let key = load_of("orders").manifest();
    let newer = serde_json::to_string(&Manifest { version: 2, ..manifest(vec![]) }).unwrap();
    let half = &newer[..newer.len() / 2];
    for (text, says) in [
        (newer.as_str(), "version 2, a newer barncat wrote it"),
        (half, "EOF"),
        ("", "EOF"),
        ("{}", "missing field"),
    ] {
        put(&place.stage, &key, text.as_bytes()).await.unwrap();
        let sha256 = hex(&Sha256::digest(text));
        let read = Manifest::read(place.stage.as_ref(), &key, Some(&sha256)).await;
        let error = read.expect_err("it cannot be read");
        assert!(matches!(&error, StageError::Manifest { .. }), "{error}");
        assert!(error.to_string().contains(&key) && error.to_string().contains(says), "{error}");
        assert_eq!(error.class(), Class::Lasting);
    }
}
