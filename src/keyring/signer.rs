//! The key that signs checkpoints (Ed25519): made at the first unsealing, kept sealed under the vault's own tenant key,
//! and rotated with an introduction that the old key and the new one sign.

use super::{Keyring, KeyringError, NewDataKey, Open};
use crate::{
    audit::{Batch, Change, ChangeError, SignError, Signer, log_origin},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
        secrets::SigningSeed,
    },
    entropy::make_key,
    envelope::Cell,
    evidence::{Keys, introduction_text},
    id::{SignerId, TenantId},
    policy::{Permit, decide::KeysRotate},
    store::{
        StoreError, keys,
        signers::{self, SignerRow},
        vault,
    },
};
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::future::BoxFuture;
use signed_note::{Note, NoteError, new_ed25519_verifier_key};
use std::{convert::Infallible, sync::Arc};

/// A signing key in memory; it is wiped when it drops.
pub(super) struct LogSigner {
    id: SignerId,
    number: i64,
    /// The log's name, which is the key's too.
    origin: String,
    verifier: String,
    key: SigningKey,
}

impl Keyring {
    /// Makes the next signing key, introduced by the one that signs until then. Every node signs with it from its next
    /// checkpoint on. Costs two commits.
    ///
    /// # Errors
    /// `Sealed`; `Store(Taken)` where somebody else rotated it at the same moment.
    pub async fn signer_rotate(&self, permit: Permit<KeysRotate>) -> Result<String, KeyringError> {
        let open = self.open()?;
        let before = self.signer(&open).await?;
        let actor = permit.actor();
        let by = Subject::new("user", actor.user().as_uuid());
        let fence = Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() };
        let made = self.make_signer(&before.origin, Some(&before), by, Some(fence)).await?;
        let verifier = made.verifier.clone();
        *open.signer.lock().await = Some(Arc::new(made));
        Ok(verifier)
    }

    /// Returns the key that signs: the newest, whichever node made it; the first is made here.
    async fn signer(&self, open: &Open) -> Result<Arc<LogSigner>, KeyringError> {
        let mut cached = open.signer.lock().await;
        let (vault, newest) = {
            let mut reader = self.db.reader().await?;
            let vault = vault::vault_show(&mut reader.link()).await?;
            (vault, signers::signer_newest(&mut reader.link()).await?)
        };
        let vault = vault.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?.vault;
        let origin = log_origin(vault);
        let signer = match (&*cached, newest) {
            (Some(known), Some(newest)) if known.id == newest.id => return Ok(Arc::clone(known)),
            (_, Some(newest)) => self.open_signer(origin, &newest).await?,
            (_, None) => match self.make_signer(&origin, None, Subject::VAULT, None).await {
                Ok(made) => made,
                Err(KeyringError::Store(StoreError::Taken)) => {
                    // Another node was faster: its key is the first.
                    let newest = signers::signer_newest(&mut self.db.reader().await?.link()).await?;
                    let newest = newest.ok_or_else(|| StoreError::corrupt("signers", "number", 1))?;
                    self.open_signer(origin, &newest).await?
                }
                Err(error) => return Err(error),
            },
        };
        let signer = Arc::new(signer);
        *cached = Some(Arc::clone(&signer));
        Ok(signer)
    }

    async fn open_signer(&self, origin: String, row: &SignerRow) -> Result<LogSigner, KeyringError> {
        let seed = self.data_key(row.seed.key_id()).await?.open(&row.seed, &seed_cell(row.id))?;
        let key = SigningKey::from_bytes(seed.0.expose());
        let verifier = new_ed25519_verifier_key(&origin, &key.verifying_key());
        if verifier != row.verifier {
            return Err(StoreError::corrupt("signers", "verifier", row.id).into());
        }
        Ok(LogSigner { id: row.id, number: row.number, origin, verifier, key })
    }

    async fn make_signer(
        &self,
        origin: &str,
        before: Option<&LogSigner>,
        by: Subject,
        fence: Option<Fence>,
    ) -> Result<LogSigner, KeyringError> {
        let data_key = self.make_data_key(TenantId::VAULT).await?;
        let id = SignerId::make(&*self.clock, &*self.entropy);
        let seed = SigningSeed(make_key(&*self.entropy));
        let key = SigningKey::from_bytes(seed.0.expose());
        let verifier = new_ed25519_verifier_key(origin, &key.verifying_key());
        let number = before.map_or(1, |before| before.number + 1);
        let made = LogSigner { id, number, origin: origin.to_owned(), verifier, key };
        let introduction = introduce(&made, before);
        let sealed = data_key.key.seal(&seed, &seed_cell(id), &*self.entropy)?;
        let details = serde_json::json!({ "number": number, "verifier": made.verifier, "introduction": introduction });
        let payload = Payload { actor: by, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        let event = Event::make(&*self.entropy, TenantId::VAULT, Kind::SignerMade, &payload);
        let verifier = made.verifier.clone();
        let row = SignerRow { id, number, verifier, introduction, seed: sealed, created_at: self.clock.now() };
        self.sequencer.commit(AddSigner { row, data_key, event, fence }).await?;
        Ok(made)
    }
}

/// Hands the key to the audit log, which knows no keyring.
impl Signer for Keyring {
    fn sign<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<String, SignError>> {
        Box::pin(async move {
            let open = self.open().map_err(|_| SignError::Sealed)?;
            let signer = self.signer(&open).await.map_err(unsigned)?;
            Ok(sign_note(text, &[&*signer]))
        })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Keys, SignError>> {
        Box::pin(async move {
            let open = self.open().map_err(|_| SignError::Sealed)?;
            // The first is made here, where there is none.
            let newest = self.signer(&open).await.map_err(unsigned)?;
            let rows = signers::signer_list(&mut self.db.reader().await.map_err(SignError::Store)?.link()).await?;
            let mut keys = Vec::with_capacity(rows.len());
            for row in rows {
                let signer = self.open_signer(newest.origin.clone(), &row).await.map_err(unsigned)?;
                keys.push(signer.verifier);
            }
            Keys::parse(&keys.join("\n")).map_err(|why| SignError::Failed(why.to_string()))
        })
    }

    fn is_ready(&self) -> bool {
        self.is_open()
    }
}

impl signed_note::Signer for LogSigner {
    fn name(&self) -> &str {
        &self.origin
    }

    fn key_id(&self) -> u32 {
        let (_, rest) = self.verifier.split_once('+').expect("a verifier key is name+id+key");
        u32::from_str_radix(&rest[..8], 16).expect("its id has eight digits")
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        self.key.try_sign(message).map(|signature| signature.to_vec())
    }
}

fn unsigned(error: KeyringError) -> SignError {
    match error {
        KeyringError::Sealed => SignError::Sealed,
        KeyringError::Store(error) => SignError::Store(error),
        other => SignError::Failed(other.to_string()),
    }
}

/// Has a new key introduced by itself and by the one before it.
fn introduce(made: &LogSigner, before: Option<&LogSigner>) -> String {
    let signers: Vec<&dyn signed_note::Signer> =
        before.into_iter().chain([made]).map(|signer| signer as &dyn signed_note::Signer).collect();
    sign_note(&introduction_text(&made.origin, &made.verifier), &signers)
}

/// Signs a text of our own making, in the form of C2SP `signed-note`.
fn sign_note(text: &str, signers: &[&dyn signed_note::Signer]) -> String {
    let signed = || -> Result<Vec<u8>, NoteError> {
        let mut note = Note::new(text.as_bytes(), &[])?;
        note.add_sigs(signers)?;
        Ok(note.to_bytes())
    };
    let bytes = signed().expect("a text of printable lines, and names without spaces");
    String::from_utf8(bytes).expect("a note is text")
}

fn seed_cell(id: SignerId) -> Cell<'static> {
    Cell { table: "signers", column: "seed", row: id.as_uuid(), tenant: TenantId::VAULT, version: 1 }
}

struct AddSigner {
    row: SignerRow,
    data_key: NewDataKey,
    event: Event,
    fence: Option<Fence>,
}

impl Change for AddSigner {
    type Output = ();
    type Refusal = Infallible;

    fn fences(&self) -> Vec<Fence> {
        self.fence.into_iter().collect()
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let new = keys::NewDataKey {
            tenant: TenantId::VAULT,
            owner: self.row.id.as_uuid(),
            key: &self.data_key.wrapped,
            uses: NewDataKey::USES,
        };
        let at = batch.at();
        keys::data_key_insert(&mut batch.link(), &new, at).await?;
        signers::signer_insert(&mut batch.link(), &self.row).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
