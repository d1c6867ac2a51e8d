//! Keys under keys.

use super::{
    aead::DoesNotOpen,
    associated_data::Encoder,
    keys::{Data, Key, Lease, Level, Master, SealingError, Tenant},
    sealed::{FRAMED_OVERHEAD, NotSealed, unframe},
    uses::UseBudget,
};
use crate::{
    entropy::Entropy,
    id::{KeyId, TenantId},
    secret::SecretKey,
};
use std::{fmt, marker::PhantomData};

/// Says that keys of this level wrap keys of level `Child`. There is no other pair than those below.
pub trait Wraps<Child: Level>: Level {
    /// Returns the two tenants where this key's and the child's differ.
    fn differs(&self, child: &Child) -> Option<(TenantId, TenantId)>;
}

impl Wraps<Tenant> for Master {
    fn differs(&self, _: &Tenant) -> Option<(TenantId, TenantId)> {
        None
    }
}
impl Wraps<Lease> for Master {
    fn differs(&self, _: &Lease) -> Option<(TenantId, TenantId)> {
        None
    }
}
impl Wraps<Data> for Tenant {
    fn differs(&self, child: &Data) -> Option<(TenantId, TenantId)> {
        (self.tenant != child.tenant).then_some((self.tenant, child.tenant))
    }
}

impl<P: Level> Key<P> {
    /// Wraps `child` under this key. Takes one use. The result is bound to both ids and both levels with what they
    /// hold, tenant and master version, so that a wrapped key copied to another tenant's row does not unwrap there.
    ///
    /// # Errors
    /// [`SealingError::Foreign`] where the child is another tenant's, or [`SealingError::Use`].
    pub fn wrap<C: Level>(&self, child: &Key<C>, entropy: &dyn Entropy) -> Result<Wrapped<C>, SealingError>
    where
        P: Wraps<C>,
    {
        if let Some((of, asked)) = self.level().differs(child.level()) {
            return Err(SealingError::Foreign { key: self.id(), of, asked });
        }
        let associated = binding(self, child.id(), child.level());
        let bytes = self.seal_framed(&associated, child.secret_for_wrapping().expose(), entropy)?;
        Ok(Wrapped { child: child.id(), parent: self.id(), bytes, of: PhantomData })
    }

    /// Unwraps a key that this one wrapped. `level` says whose key the row claims it is, and `uses` how many of its
    /// uses the row says are reserved.
    ///
    /// # Errors
    /// [`UnwrapError::OtherParent`] where the row names another key than this, [`UnwrapError::DoesNotOpen`] where it was
    /// altered or moved.
    pub fn unwrap<C: Level>(&self, wrapped: &Wrapped<C>, level: C, uses: UseBudget) -> Result<Key<C>, UnwrapError>
    where
        P: Wraps<C>,
    {
        if wrapped.parent != self.id() {
            return Err(UnwrapError::OtherParent { key: wrapped.child, named: wrapped.parent, offered: self.id() });
        }
        let opened = self
            .open_framed(&binding(self, wrapped.child, &level), &wrapped.bytes)
            .map_err(|cause| UnwrapError::DoesNotOpen { level: C::NAME, key: wrapped.child, cause })?;
        let secret = SecretKey::from_slice(&opened).expect("`from_stored` and `wrap` admit keys of 32 bytes only");
        Ok(Key::assemble(wrapped.child, level, secret, uses))
    }
}

fn binding<P: Level, C: Level>(parent: &Key<P>, child: KeyId, level: &C) -> Vec<u8> {
    Encoder::new("leasehold wrap v1")
        .field(P::NAME.as_bytes())
        .key(parent.id())
        .field(&parent.level().context())
        .field(C::NAME.as_bytes())
        .key(child)
        .field(&level.context())
        .finish()
}

/// A key as the store keeps it: its id, the id of the key that wraps it, and 61 bytes
/// (`format ‖ nonce ‖ wrapped key ‖ tag`).
pub struct Wrapped<C> {
    child: KeyId,
    parent: KeyId,
    bytes: Vec<u8>,
    of: PhantomData<fn() -> C>,
}

/// Bytes of every wrapped key.
const WRAPPED_LEN: usize = FRAMED_OVERHEAD + SecretKey::LEN;

impl<C: Level> Wrapped<C> {
    /// Reads back what a row kept. For the store alone.
    ///
    /// # Errors
    /// [`NotSealed`] where the bytes cannot be a wrapped key.
    pub fn from_stored(child: KeyId, parent: KeyId, bytes: Vec<u8>) -> Result<Self, NotSealed> {
        if bytes.len() != WRAPPED_LEN {
            return Err(NotSealed::Length { length: bytes.len(), expected: WRAPPED_LEN });
        }
        unframe(&bytes)?;
        Ok(Self { child, parent, bytes, of: PhantomData })
    }

    /// Names the wrapped key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.child
    }

    /// Names the key that wraps it.
    #[must_use]
    pub fn wrapped_by(&self) -> KeyId {
        self.parent
    }

    /// Shows the stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<C: Level> Clone for Wrapped<C> {
    fn clone(&self) -> Self {
        Self { child: self.child, parent: self.parent, bytes: self.bytes.clone(), of: PhantomData }
    }
}

impl<C: Level> fmt::Debug for Wrapped<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({} key {} under {})", C::NAME, self.child, self.parent)
    }
}

/// A wrapped key was not unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// Its row names another key than the one offered: after a rotation, another master version.
    #[error("key {key} is wrapped under {named}, not under {offered}")]
    OtherParent {
        /// The wrapped key.
        key: KeyId,
        /// The key that its row names.
        named: KeyId,
        /// The key that was to unwrap it.
        offered: KeyId,
    },
    /// It was altered, or belongs to another row, tenant or level.
    #[error("{level} key {key}: {cause}")]
    DoesNotOpen {
        /// The level that was expected.
        level: &'static str,
        /// The wrapped key.
        key: KeyId,
        /// Why.
        cause: DoesNotOpen,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{entropy::SystemEntropy, envelope::MasterKey};
    use uuid::Uuid;

    // A changed layout would make every stored key unreadable: it needs a new label, and a migration.
    #[test]
    fn what_a_wrapped_key_is_bound_to_is_pinned() {
        let id = |number| KeyId::from_uuid(Uuid::from_u128(number));
        let master = MasterKey::make(id(1), Master { version: 3 }, &SystemEntropy);
        let tenant = Tenant { tenant: TenantId::from_uuid(Uuid::from_u128(4)) };
        assert_eq!(
            data_encoding::HEXLOWER.encode(&binding(&master, id(2), &tenant)),
            "000000116c65617365686f6c642077726170207631\
             000000066d6173746572\
             0000001000000000000000000000000000000001\
             000000080000000000000003\
             0000000674656e616e74\
             0000001000000000000000000000000000000002\
             0000001000000000000000000000000000000004"
        );
    }
}
