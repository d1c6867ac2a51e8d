//! Where a connection's sealed values stand: what their ciphertexts are bound to.

use crate::{
    envelope::Cell,
    id::{ConnectionId, TenantId},
    store::{StoreError, connections::ConnectionRow},
};

pub(super) fn credential_cell(
    connection: ConnectionId,
    tenant: TenantId,
    version: i64,
) -> Result<Cell<'static>, StoreError> {
    cell("credentials", connection, tenant, version)
}

pub(super) fn token_cell(connection: &ConnectionRow, generation: i64) -> Result<Cell<'static>, StoreError> {
    cell("access_tokens", connection.id, connection.tenant, generation)
}

fn cell(
    table: &'static str,
    connection: ConnectionId,
    tenant: TenantId,
    version: i64,
) -> Result<Cell<'static>, StoreError> {
    let version = u32::try_from(version).map_err(|_| StoreError::corrupt(table, "version", connection))?;
    Ok(Cell { table, column: "sealed", row: connection.as_uuid(), tenant, version })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_version_that_none_of_us_counted_to_is_corrupt() {
        let (id, tenant) = (ConnectionId::from_uuid(Uuid::nil()), TenantId::VAULT);
        assert!(matches!(credential_cell(id, tenant, -1), Err(StoreError::Corrupt { .. })));
        assert!(matches!(credential_cell(id, tenant, 1 << 32), Err(StoreError::Corrupt { .. })));
        assert!(credential_cell(id, tenant, 1).is_ok());
    }
}
