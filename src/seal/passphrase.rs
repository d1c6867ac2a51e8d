//! The passphrase seal: Argon2id makes the key. Nothing that opens the vault lies on the host, so somebody, or systemd,
//! has to give the passphrase at each start.

use super::{MasterIdentity, Seal, SealError, SealKind, SealedMaster, blob};
use crate::{
    entropy::{Entropy, make_array},
    envelope::{Cost, MasterKey, SALT_LEN, derive_key},
    secret::{SecretKey, SecretText},
};
use data_encoding::BASE64;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A seal that a passphrase opens.
pub struct PassphraseSeal {
    passphrase: SecretText,
    /// At which it wraps: what was asked for, or what it was found to have cost before, where that is dearer.
    cost: Mutex<Cost>,
}

impl PassphraseSeal {
    /// Takes the passphrase, and the least cost at which it wraps. Unwrapping costs what the sealed key says, and from
    /// then on wrapping does not cost less.
    #[must_use]
    pub fn new(passphrase: SecretText, cost: Cost) -> Self {
        Self { passphrase, cost: Mutex::new(cost) }
    }

    /// Derives the key on a thread where blocking is allowed: it takes a good part of a second.
    async fn key(&self, salt: [u8; SALT_LEN], cost: Cost) -> Result<SecretKey, SealError> {
        let passphrase = self.passphrase.clone();
        let derived = tokio::task::spawn_blocking(move || derive_key(&passphrase, &salt, cost)).await;
        Ok(derived.map_err(|_| SealError::Stopped)??)
    }
}

impl Seal for PassphraseSeal {
    fn kind(&self) -> SealKind {
        SealKind::Passphrase
    }

    fn wrap<'a>(
        &'a self,
        master: &'a MasterKey,
        vault: Uuid,
        entropy: &'a dyn Entropy,
    ) -> BoxFuture<'a, Result<SealedMaster, SealError>> {
        Box::pin(async move {
            let salt = make_array(entropy);
            let cost = *self.cost.lock();
            let key = self.key(salt, cost).await?;
            let blob = blob::wrap(&key, master.secret(), self.kind(), MasterIdentity::of(master, vault), entropy);
            let parameters = Parameters { function: Function::Argon2id, cost, salt: BASE64.encode(&salt) };
            Ok(SealedMaster { kind: self.kind(), parameters: parameters.into_json(), blob })
        })
    }

    fn unwrap<'a>(
        &'a self,
        sealed: &'a SealedMaster,
        identity: MasterIdentity,
    ) -> BoxFuture<'a, Result<SecretKey, SealError>> {
        Box::pin(async move {
            sealed.is_for(self.kind())?;
            blob::split(&sealed.blob).map_err(refusal)?;
            let (salt, cost) = Parameters::read(&sealed.parameters)?;
            let key = self.key(salt, cost).await?;
            let master = blob::unwrap(&key, &sealed.blob, self.kind(), identity).map_err(refusal)?;
            let mut least = self.cost.lock();
            *least = least.or_dearer(cost);
            Ok(master)
        })
    }
}

impl fmt::Debug for PassphraseSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PassphraseSeal([redacted], {})", self.cost.lock())
    }
}

/// What is stored beside the blob.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    function: Function,
    cost: Cost,
    salt: String,
}

/// The function that makes the key. Another one, some day, is another name, and an older release refuses it by that.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Function {
    Argon2id,
}

impl Parameters {
    /// Reads stored parameters. The bounds of [`Cost`] hold for them too, so that a row cannot make us spend terabytes.
    fn read(parameters: &serde_json::Value) -> Result<([u8; SALT_LEN], Cost), SealError> {
        let corrupt = SealError::Corrupt { what: "its passphrase parameters are malformed or out of bounds" };
        let Ok(Self { function: Function::Argon2id, cost, salt }) = Self::deserialize(parameters) else {
            return Err(corrupt);
        };
        match BASE64.decode(salt.as_bytes()).ok().and_then(|salt| salt.try_into().ok()) {
            Some(salt) => Ok((salt, cost)),
            None => Err(corrupt),
        }
    }

    fn into_json(self) -> serde_json::Value {
        serde_json::to_value(self).expect("names, numbers and text are JSON")
    }
}

fn refusal(fault: blob::Fault) -> SealError {
    match fault {
        blob::Fault::Corrupt(what) => SealError::Corrupt { what },
        blob::Fault::WrongKey => SealError::WrongKey {
            kind: SealKind::Passphrase,
            remedy: "give the passphrase that was set at init or at the last reseal".into(),
        },
    }
}
