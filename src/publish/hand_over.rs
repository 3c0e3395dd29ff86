//! The one step that makes rows the live ones, and what is true if somebody stops it.

use tokio_util::sync::CancellationToken;

use crate::warehouse::{Publication, Published, Select, Staging, Warehouse, WarehouseError};

/// What is published.
pub enum Ready<'a> {
    /// A staging table with all its rows.
    Table(Box<dyn Staging>),
    /// A view of this SELECT.
    View(&'a Select),
}

/// Publishes. `Ok(None)`: it was stopped, and the ledger says that nothing was published. An error
/// says nothing of it.
pub async fn hand_over(
    warehouse: &dyn Warehouse,
    ready: Ready<'_>,
    publication: Publication,
    cancel: &CancellationToken,
) -> Result<Option<Published>, WarehouseError> {
    let (load, kind, as_of) = (publication.ledger.load.clone(), publication.kind, publication.ledger.as_of);
    let publish = async {
        match ready {
            Ready::Table(staging) => staging.publish(publication).await,
            Ready::View(select) => warehouse.publish_view(select, publication).await,
        }
    };
    tokio::select! {
        biased;
        published = publish => published.map(Some),
        // The COMMIT may have been under way: only the ledger knows.
        () = cancel.cancelled() => match warehouse.is_published(&load).await {
            Ok(true) => Ok(Some(Published {
                at: as_of,
                kind,
                written: None,
                warnings: vec!["published while the run was being stopped".to_owned()],
            })),
            Ok(false) => Ok(None),
            // What is not known is not said.
            Err(error) => Err(error),
        },
    }
}
