//! What a ciphertext is bound to. It authenticates associated data without storing them, so that sealed bytes moved to
//! another row, tenant, column, version or purpose do not open there.

use crate::id::{KeyId, TenantId};
use uuid::Uuid;

/// Names the one place where a sealed value belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The table, as the migrations name it.
    pub table: &'a str,
    /// The column, as the migrations name it.
    pub column: &'a str,
    /// The row's id.
    pub row: Uuid,
    /// The tenant that the row belongs to; [`TenantId::VAULT`] where it is the vault's own.
    pub tenant: TenantId,
    /// The version of the value in that row. An attacker with the database cannot bring an older one back to a row
    /// that says a newer version.
    pub version: u32,
}

/// Encodes associated data so that two different lists of fields never give the same bytes: each field is preceded by
/// its length. Without that, table `ab` column `c` and table `a` column `bc` would be one place.
///
/// ```text
/// label, then each field, as: length (4, big-endian) ‖ field
/// ```
#[derive(Debug)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// Begins with `label`, which names the use and its layout version; no two uses share one.
    pub(crate) fn new(label: &'static str) -> Self {
        Self(Vec::with_capacity(192)).field(label.as_bytes())
    }

    /// Appends one field.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("a name or an id is shorter than 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a key's id.
    pub(crate) fn key(self, key: KeyId) -> Self {
        self.field(key.as_uuid().as_bytes())
    }

    /// Returns the encoded bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl Cell<'_> {
    /// Encodes the cell, with the key that seals it and what the value is for.
    pub(super) fn encode(&self, key: KeyId, purpose: &str) -> Vec<u8> {
        Encoder::new("leasehold cell v1")
            .key(key)
            .field(purpose.as_bytes())
            .field(self.table.as_bytes())
            .field(self.column.as_bytes())
            .field(self.row.as_bytes())
            .field(self.tenant.as_uuid().as_bytes())
            .field(&self.version.to_be_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const CELL: Cell<'static> =
        Cell { table: "credentials", column: "sealed", row: Uuid::from_u128(1), tenant: TenantId::VAULT, version: 1 };
    const KEY: KeyId = KeyId::from_uuid(Uuid::from_u128(7));

    #[test]
    fn every_field_changes_the_encoding() {
        let encodings = [
            CELL.encode(KEY, "p"),
            CELL.encode(KeyId::from_uuid(Uuid::from_u128(8)), "p"),
            CELL.encode(KEY, "q"),
            Cell { table: "tokens", ..CELL }.encode(KEY, "p"),
            Cell { column: "other", ..CELL }.encode(KEY, "p"),
            Cell { row: Uuid::from_u128(2), ..CELL }.encode(KEY, "p"),
            Cell { tenant: TenantId::from_uuid(Uuid::from_u128(1)), ..CELL }.encode(KEY, "p"),
            Cell { version: 2, ..CELL }.encode(KEY, "p"),
        ];
        assert_eq!(encodings.iter().collect::<HashSet<_>>().len(), encodings.len());
    }

    #[test]
    fn text_that_slides_from_one_field_to_the_next_is_another_place() {
        let one = Cell { table: "ab", column: "c", ..CELL }.encode(KEY, "p");
        let two = Cell { table: "a", column: "bc", ..CELL }.encode(KEY, "p");
        assert_ne!(one, two);
    }

    // A changed layout would make every stored secret unreadable: it needs a new label, and a migration.
    #[test]
    fn the_layout_is_pinned() {
        let encoded = data_encoding::HEXLOWER.encode(&Cell { table: "t", column: "c", ..CELL }.encode(KEY, "p"));
        assert_eq!(
            encoded,
            "000000116c65617365686f6c642063656c6c207631\
             0000001000000000000000000000000000000007\
             0000000170\
             0000000174\
             0000000163\
             0000001000000000000000000000000000000001\
             0000001000000000000000000000000000000000\
             0000000400000001"
        );
    }
}
