//! Making a vault: its row, the empty log, and a master key under a seal.

use super::KeyringError;
use crate::{
    clock::Clock,
    domain::fence::Incarnation,
    entropy::{Entropy, make_array, make_key},
    envelope::{Master, MasterKey, Tenant, TenantKey, UseBudget},
    id::{KeyId, TenantId, make_uuid},
    merkle::Frontier,
    seal::Seal,
    store::{
        Db, StoreError, keys, log,
        vault::{self, VaultRow},
    },
};

/// How many uses of the master key are reserved when it is made: the key check takes one of them.
const FIRST_BLOCK: u64 = 64;

/// Why a vault is not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The database holds one already.
    #[error("the database holds a vault already; nothing was changed")]
    Exists,
    /// The seal or the database failed.
    #[error(transparent)]
    Failed(#[from] KeyringError),
}

impl From<StoreError> for InitError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes a vault in a migrated, empty database, in one transaction.
///
/// # Errors
/// `Exists` where there is one; nothing is changed then.
pub async fn vault_make(
    db: &Db,
    seal: &dyn Seal,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<VaultRow, InitError> {
    let row = VaultRow { vault: make_uuid(clock, entropy), incarnation: Incarnation(make_array(entropy)) };
    let secret = make_key(entropy);
    let level = Master { version: 1 };
    let master = MasterKey::from_secret(KeyId::make(clock, entropy), level, secret, UseBudget::resumed(0));
    master.uses().reserve(0..FIRST_BLOCK).expect("a new key has no block yet");
    let sealed = seal.wrap(&master, row.vault, entropy).await.map_err(KeyringError::from)?;
    let key_check = master.make_check(entropy).map_err(KeyringError::from)?;
    // The vault's own secrets, those of our applications at providers, lie under a tenant key like everybody's.
    let tenant = TenantId::VAULT;
    let own_key = TenantKey::make(KeyId::make(clock, entropy), Tenant { tenant }, entropy);
    let own_key = master.wrap(&own_key, entropy).map_err(KeyringError::Sealing)?;
    let at = clock.now();
    let key = keys::MasterKeyRow {
        id: master.id(),
        version: level.version,
        sealed,
        key_check,
        uses: FIRST_BLOCK,
        created_at: at,
    };

    let mut connection = db.reader().await?;
    let link = &mut connection.link();
    link.begin().await?;
    if vault::vault_show(link).await?.is_some() {
        link.run("ROLLBACK").await?;
        return Err(InitError::Exists);
    }
    vault::vault_insert(link, &row, at).await?;
    let empty = Frontier::new();
    log::head_insert(link, &empty.to_bytes(), &empty.root(), at).await?;
    keys::master_key_insert(link, &key).await?;
    keys::tenant_key_insert(link, tenant, &own_key, 0, at).await?;
    link.run("COMMIT").await?;
    Ok(row)
}
