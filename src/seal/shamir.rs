//! The Shamir seal: its key exists in shares only, which officers hold. So many of them have to come together at each
//! start, and fewer, were they all to conspire, open nothing.

use super::{MasterIdentity, Seal, SealError, SealKind, SealedMaster, blob};
use crate::{
    entropy::{Entropy, make_key},
    envelope::{MasterKey, Quorum, Share, ShareKind, ShareSet},
    secret::SecretKey,
};
use futures_util::future::BoxFuture;
use serde::Deserialize as _;
use std::fmt;
use uuid::Uuid;

/// A seal that enough shares open.
pub struct ShamirSeal {
    set: ShareSet,
    key: SecretKey,
}

impl ShamirSeal {
    /// Draws a key and splits it. The shares are to be handed out and forgotten here: they are the only way back.
    #[must_use]
    pub fn make(quorum: Quorum, entropy: &dyn Entropy) -> (Self, Vec<Share>) {
        let key = make_key(entropy);
        let (set, shares) = ShareSet::split(&key, ShareKind::Seal, quorum, entropy);
        (Self { set, key }, shares)
    }

    /// Takes back the key that shares of `set` gave.
    #[must_use]
    pub fn of(set: ShareSet, key: SecretKey) -> Self {
        Self { set, key }
    }

    /// Reads which shares open a sealed master key.
    ///
    /// # Errors
    /// `OtherKind` where another kind of seal does, `Corrupt` where the row does not say.
    pub fn set_of(sealed: &SealedMaster) -> Result<ShareSet, SealError> {
        sealed.is_for(SealKind::Shamir)?;
        let corrupt = SealError::Corrupt { what: "its shares are not described" };
        match ShareSet::deserialize(&sealed.parameters) {
            Ok(set) if set.quorum().is_ok() => Ok(set),
            _ => Err(corrupt),
        }
    }
}

impl Seal for ShamirSeal {
    fn kind(&self) -> SealKind {
        SealKind::Shamir
    }

    fn wrap<'a>(
        &'a self,
        master: &'a MasterKey,
        vault: Uuid,
        entropy: &'a dyn Entropy,
    ) -> BoxFuture<'a, Result<SealedMaster, SealError>> {
        Box::pin(async move {
            let blob = blob::wrap(&self.key, master.secret(), self.kind(), MasterIdentity::of(master, vault), entropy);
            let parameters = serde_json::to_value(&self.set).expect("names, numbers and text are JSON");
            Ok(SealedMaster { kind: self.kind(), parameters, blob })
        })
    }

    fn unwrap<'a>(
        &'a self,
        sealed: &'a SealedMaster,
        identity: MasterIdentity,
    ) -> BoxFuture<'a, Result<SecretKey, SealError>> {
        Box::pin(async move {
            Self::set_of(sealed)?;
            blob::unwrap(&self.key, &sealed.blob, self.kind(), identity).map_err(|fault| match fault {
                blob::Fault::Corrupt(what) => SealError::Corrupt { what },
                blob::Fault::WrongKey => SealError::WrongKey {
                    kind: self.kind(),
                    remedy: "give the shares that were made at init or at the last reseal".into(),
                },
            })
        })
    }
}

impl fmt::Debug for ShamirSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShamirSeal({}, [redacted])", self.set.id())
    }
}
