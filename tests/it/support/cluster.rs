//! Redshift as anybody reaches it: by the Data API, with a folder in S3. The double, or a cluster of the user's.

use std::time::Duration;

use aws_sdk_redshiftdata::{
    Client,
    types::{Field, StatusString},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use barncat::{
    aws::S3Access,
    stage::{self, Encryption, SharedStage},
};

/// Where it is, and as whom it is asked: what `[warehouse]` and `[stage]` say of it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) cluster: Option<String>,
    pub(crate) workgroup: Option<String>,
    pub(crate) db_user: Option<String>,
    pub(crate) database: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) copy_role: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) stage: S3Access,
}

/// It, open.
pub(crate) struct Cluster {
    pub(crate) place: Place,
    client: Client,
    stage: SharedStage,
}

impl Cluster {
    pub(crate) async fn new(place: Place) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http);
        if let Some(region) = &place.region {
            loader = loader.region(aws_config::Region::new(region.clone()));
        }
        if let Some(endpoint) = &place.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let client = Client::new(&loader.load().await);
        let stage = stage::s3(&place.stage, &place.bucket, &place.prefix, Encryption::Bucket).await;
        Self { place, client, stage }
    }

    /// Puts a file into its folder in S3, and gives its address.
    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) -> String {
        let mut upload = self.stage.put(key).await.expect("an object is begun");
        upload.write(bytes.to_vec().into()).await.expect("bytes are taken");
        upload.finish().await.expect("the object is there");
        format!("{}/{key}", self.stage.url())
    }

    /// Removes it.
    pub(crate) async fn delete(&self, keys: &[String]) {
        self.stage.delete(keys).await.expect("objects are deleted");
    }

    /// Statements as one transaction: the rows of the last one, their values parted by `|`, NULL as such;
    /// or the error.
    pub(crate) async fn batch(&self, statements: &[String]) -> Result<Vec<String>, String> {
        let [only] = statements else { return self.transaction(statements).await };
        let place = &self.place;
        let sent = self
            .client
            .execute_statement()
            .sql(only)
            .database(&place.database)
            .set_cluster_identifier(place.cluster.clone())
            .set_workgroup_name(place.workgroup.clone())
            .set_db_user(place.db_user.clone())
            .send()
            .await;
        let id = sent.map_err(|error| format!("{:?}", error.into_service_error()))?.id;
        let id = id.expect("what was taken has an id");
        self.rows(&id, &id).await
    }

    async fn transaction(&self, statements: &[String]) -> Result<Vec<String>, String> {
        let place = &self.place;
        let sent = self
            .client
            .batch_execute_statement()
            .set_sqls(Some(statements.to_vec()))
            .database(&place.database)
            .set_cluster_identifier(place.cluster.clone())
            .set_workgroup_name(place.workgroup.clone())
            .set_db_user(place.db_user.clone())
            .send()
            .await;
        let id = sent.map_err(|error| format!("{:?}", error.into_service_error()))?.id;
        let id = id.expect("what was taken has an id");
        self.rows(&id, &format!("{id}:{}", statements.len())).await
    }

    /// The rows of a part of a batch, when the batch has ended.
    async fn rows(&self, batch: &str, part: &str) -> Result<Vec<String>, String> {
        loop {
            let state = self.client.describe_statement().id(batch).send().await;
            let state = state.map_err(|error| format!("{:?}", error.into_service_error()))?;
            match state.status() {
                Some(StatusString::Finished) => break,
                Some(StatusString::Failed | StatusString::Aborted) => {
                    return Err(state.error().unwrap_or("aborted").to_owned());
                }
                _ => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
        let state = self.client.describe_statement().id(part).send().await;
        if !state
            .map_err(|error| format!("{:?}", error.into_service_error()))?
            .has_result_set()
            .unwrap_or(false)
        {
            return Ok(Vec::new());
        }
        let result = self.client.get_statement_result().id(part).send().await;
        let result = result.map_err(|error| format!("{:?}", error.into_service_error()))?;
        let rows = result.records().iter();
        Ok(rows.map(|row| row.iter().map(text).collect::<Vec<_>>().join("|")).collect())
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::IsNull(_) => "NULL".to_owned(),
        Field::StringValue(text) => text.clone(),
        Field::LongValue(number) => number.to_string(),
        Field::DoubleValue(number) => number.to_string(),
        Field::BooleanValue(is) => is.to_string(),
        other => format!("{other:?}"),
    }
}
