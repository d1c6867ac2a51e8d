//! The operator's own OAuth clients at providers.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::secrets::ClientSecret,
    envelope::Sealed,
    id::{ApplicationId, KeyId},
};

/// An application.
#[derive(Clone, Debug)]
pub struct ApplicationRow {
    /// Its id.
    pub id: ApplicationId,
    /// At which provider.
    pub provider: String,
    /// Its OAuth client id.
    pub client_id: String,
    /// The id that the provider's consent page asks for (Amazon: `amzn1.sp.solution.…`).
    pub public_id: String,
    /// Whether the provider lists it as a draft.
    pub draft: bool,
    /// The version of its client secret, from 1.
    pub version: i64,
    /// Its client secret.
    pub secret: Sealed<ClientSecret>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub changed_at: Timestamp,
}

type Raw = (ApplicationId, String, String, String, bool, i64, KeyId, Vec<u8>, Timestamp, Timestamp);

/// Sets the application of a provider.
///
/// # Errors
/// Where the database fails.
pub async fn application_set(link: &mut Link<'_>, row: &ApplicationRow) -> Result<(), StoreError> {
    execute!(
        link,
        sql::APPLICATION_SET,
        row.id,
        row.provider.as_str(),
        row.client_id.as_str(),
        row.public_id.as_str(),
        row.draft,
        row.version,
        row.secret.key_id(),
        row.secret.as_bytes(),
        row.changed_at
    )
    .map(drop)
}

/// Reads the application of a provider.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn application_show(link: &mut Link<'_>, provider: &str) -> Result<Option<ApplicationRow>, StoreError> {
    optional!(link, Raw, sql::APPLICATION_SHOW, provider)?.map(parse).transpose()
}

/// Lists applications by id.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn application_page(link: &mut Link<'_>, page: Page) -> Result<Vec<ApplicationRow>, StoreError> {
    rows!(link, Raw, sql::APPLICATION_PAGE, page.after, page.limit)?.into_iter().map(parse).collect()
}

fn parse(row: Raw) -> Result<ApplicationRow, StoreError> {
    let (id, provider, client_id, public_id, draft, version, key, secret, created_at, changed_at) = row;
    let secret = Sealed::from_stored(key, secret).map_err(|_| StoreError::corrupt("applications", "secret", id))?;
    Ok(ApplicationRow { id, provider, client_id, public_id, draft, version, secret, created_at, changed_at })
}
