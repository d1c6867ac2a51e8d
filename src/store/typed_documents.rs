//! Which type a report, feed or document is of. The id alone does not show its data category, so the gateway binds it
//! when the report is created or listed.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{clock::Timestamp, domain::words, id::ConnectionId};

words! {
    /// What an external id names.
    DocumentKind, "kind of document" {
        /// A report.
        Report = "report",
        /// A report's document.
        ReportDocument = "report_document",
        /// A feed.
        Feed = "feed",
        /// A feed's result document.
        FeedDocument = "feed_document",
        /// A schedule of reports.
        ReportSchedule = "report_schedule",
        /// A further page of a list of reports, by the hash of its token.
        ReportPage = "report_page",
        /// A further page of a list of feeds, by the hash of its token.
        FeedPage = "feed_page",
    }
}

/// Binds an external id to its type. The first binding stands: a later one with another type changes nothing.
///
/// # Errors
/// Where the database fails.
pub async fn typed_document_set(
    link: &mut Link<'_>,
    connection: ConnectionId,
    kind: DocumentKind,
    external_id: &str,
    type_name: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::TYPED_DOCUMENT_SET, connection, kind.as_str(), external_id, type_name, at).map(drop)
}

/// Returns the type that an external id is bound to.
///
/// # Errors
/// Where the database fails.
pub async fn typed_document_show(
    link: &mut Link<'_>,
    connection: ConnectionId,
    kind: DocumentKind,
    external_id: &str,
) -> Result<Option<String>, StoreError> {
    let row = optional!(link, (String,), sql::TYPED_DOCUMENT_SHOW, connection, kind.as_str(), external_id)?;
    Ok(row.map(|(type_name,)| type_name))
}

/// Forgets a connection's bindings.
///
/// # Errors
/// Where the database fails.
pub async fn typed_documents_destroy(link: &mut Link<'_>, connection: ConnectionId) -> Result<(), StoreError> {
    execute!(link, sql::TYPED_DOCUMENTS_DESTROY, connection).map(drop)
}
