//! Objects in S3: the manifest, what keys begin with, the bytes (§1.1, §1.2).

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use serde_json::Value;

use crate::{
    engine::error::SqlError,
    settings::Settings,
    sql::copy::{Copy, Role},
};

/// An object to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
    /// Whether it may be missing.
    pub(super) mandatory: bool,
    pub(super) content_length: Option<i64>,
}

impl Object {
    pub(super) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

fn failed(text: impl Into<String>) -> SqlError {
    SqlError::new("XX000", text)
}

/// Why S3 did not give an object.
enum Missing {
    NotThere,
    Failed(SqlError),
}

/// The objects as a `COPY` may see them.
pub(super) struct Store<'a> {
    settings: &'a Settings,
    client: Client,
    /// The region in which all buckets must be.
    region: String,
}

impl<'a> Store<'a> {
    /// The role must be one of the cluster's.
    pub(super) fn open(settings: &'a Settings, copy: &Copy) -> Result<Self, SqlError> {
        let role = match &copy.role {
            Role::Keys => Ok(()),
            Role::Default if !settings.roles.is_empty() => Ok(()),
            Role::Default => Err("The cluster has no default IAM role".to_owned()),
            Role::Arn(arn) if settings.roles.contains(arn) => Ok(()),
            Role::Arn(arn) => Err(format!("User is not authorized to assume IAM Role {arn}")),
        };
        role.map_err(failed)?;
        let endpoint = settings.s3_endpoint.as_ref().ok_or_else(|| failed("the double was given no S3"))?;
        let (key, secret) = settings.s3_credentials.clone();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .credentials_provider(Credentials::new(key, secret, None, None, "double"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .force_path_style(true);
        let region = copy.options.region.clone().unwrap_or_else(|| settings.region.clone());
        Ok(Self { settings, client: Client::from_conf(config.build()), region })
    }

    /// The bucket is there, and in the region that COPY was told of (§1.1).
    fn check(&self, bucket: &str) -> Result<(), SqlError> {
        let known = self.settings.buckets.iter().find(|known| known.name == bucket);
        match known {
            None => Err(failed(
                "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket",
            )),
            Some(known) if known.region != self.region => Err(failed(
                "S3ServiceException:The bucket you are attempting to access must be addressed using the \
                 specified endpoint. Please send all future requests to this endpoint.,Status 301,Error \
                 PermanentRedirect",
            )),
            Some(_) => Ok(()),
        }
    }

    /// All that is to be loaded.
    pub(super) async fn list(&self, copy: &Copy) -> Result<Vec<Object>, SqlError> {
        self.check(&copy.bucket)?;
        if copy.options.is_manifest { self.manifest(copy).await } else { self.by_prefix(copy).await }
    }

    /// Every key that begins so, also one that nobody meant (§1.1).
    async fn by_prefix(&self, copy: &Copy) -> Result<Vec<Object>, SqlError> {
        let (mut objects, mut token) = (Vec::new(), None);
        loop {
            let call = self.client.list_objects_v2().bucket(&copy.bucket).prefix(&copy.key);
            let page = call.set_continuation_token(token).send().await.map_err(|error| told(&error))?;
            let keys = page.contents().iter().filter_map(|object| object.key().map(str::to_owned));
            objects.extend(keys.map(|key| Object {
                bucket: copy.bucket.clone(),
                key,
                mandatory: true,
                content_length: None,
            }));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        if objects.is_empty() {
            return Err(failed(format!("The specified S3 prefix '{}' does not exist", copy.key)));
        }
        Ok(objects)
    }

    async fn manifest(&self, copy: &Copy) -> Result<Vec<Object>, SqlError> {
        let got = match self.get(&copy.bucket, &copy.key).await {
            Ok((body, _)) => body.collect().await.map_err(|error| failed(error.to_string()))?.into_bytes(),
            Err(Missing::NotThere) => {
                let text = "Problem reading manifest file - S3ServiceException:The specified key does not \
                            exist.,Status 404,Error NoSuchKey";
                return Err(failed(text));
            }
            Err(Missing::Failed(error)) => return Err(error),
        };
        let manifest: Value = serde_json::from_slice(&got)
            .map_err(|_| failed("Problem reading manifest file - it is not valid JSON"))?;
        let entries = manifest.get("entries").and_then(Value::as_array);
        let entries = entries.ok_or_else(|| failed("Problem reading manifest file - it has no entries"))?;
        entries.iter().map(|entry| self.entry(entry)).collect()
    }

    fn entry(&self, entry: &Value) -> Result<Object, SqlError> {
        let url = entry.get("url").and_then(Value::as_str).unwrap_or_default();
        let path = url.strip_prefix("s3://").and_then(|path| path.split_once('/'));
        let (bucket, key) =
            path.filter(|(_, key)| !key.is_empty() && !key.ends_with('/')).ok_or_else(|| {
                failed(format!("8001 MANIFEST requires the full path of an S3 object, not '{url}'"))
            })?;
        self.check(bucket)?;
        let mandatory = match entry.get("mandatory") {
            None => false,
            Some(Value::Bool(mandatory)) => *mandatory,
            Some(_) => return Err(failed("Problem reading manifest file - mandatory is true or false")),
        };
        let content_length = entry.pointer("/meta/content_length").and_then(Value::as_i64);
        Ok(Object { bucket: bucket.to_owned(), key: key.to_owned(), mandatory, content_length })
    }

    /// The object's bytes; none if it is missing and may be.
    pub(super) async fn open_object(&self, object: &Object) -> Result<Option<ByteStream>, SqlError> {
        match self.get(&object.bucket, &object.key).await {
            Ok((body, length)) => {
                // Whether Redshift compares it for CSV is unconfirmed (§1.2).
                let planned = object.content_length.filter(|_| self.settings.checks_content_length);
                if planned.is_some_and(|planned| planned != length) {
                    let text = format!("content_length of {} does not match the object", object.url());
                    return Err(failed(text));
                }
                Ok(Some(body))
            }
            Err(Missing::NotThere) if !object.mandatory => Ok(None),
            Err(Missing::NotThere) => Err(failed(format!(
                "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Key {}",
                object.key
            ))),
            Err(Missing::Failed(error)) => Err(error),
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<(ByteStream, i64), Missing> {
        match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(got) => {
                let length = got.content_length().unwrap_or(-1);
                Ok((got.body, length))
            }
            Err(error) if error.code() == Some("NoSuchKey") => Err(Missing::NotThere),
            Err(error) => Err(Missing::Failed(told(&error))),
        }
    }
}

fn told<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> SqlError {
    let (message, code) = (error.message().unwrap_or("no answer"), error.code().unwrap_or("Unavailable"));
    failed(format!("S3ServiceException:{message},Error {code}"))
}
