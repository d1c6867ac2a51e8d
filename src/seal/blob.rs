//! The form in which the seals of this host keep a master key, under the 256-bit key that each of them comes to in its
//! own way.
//!
//! ```text
//! format (1, is 0x01)
//! ‖ check:  nonce (12) ‖ sealed check text (20) ‖ tag (16)
//! ‖ master: nonce (12) ‖ sealed master key (32) ‖ tag (16)
//! ```
//!
//! The check is there for the person at the terminal. A tag that fails cannot say whether the key is wrong or the bytes
//! are; two of them can, and "wrong passphrase" and "restore a backup" are very different evenings. It gives nothing to
//! an attacker, who can try keys on the master key's own tag as well.

use super::{MasterIdentity, SealKind};
use crate::{
    entropy::{Entropy, make_array},
    envelope::{
        Encoder,
        aead::{AeadKey, NONCE_LEN, OVERHEAD},
    },
    secret::SecretKey,
};

const FORMAT: u8 = 0x01;
const CHECK_TEXT: &[u8] = b"leasehold seal check";
const CHECK_LEN: usize = OVERHEAD + CHECK_TEXT.len();
const MASTER_LEN: usize = OVERHEAD + SecretKey::LEN;

/// Wraps `master` under `key`. No uses are counted: a seal wraps once at each rotation and reseal.
pub(super) fn wrap(
    key: &SecretKey,
    master: &SecretKey,
    kind: SealKind,
    identity: MasterIdentity,
    entropy: &dyn Entropy,
) -> Vec<u8> {
    let key = AeadKey::new(key);
    let mut blob = Vec::with_capacity(1 + CHECK_LEN + MASTER_LEN);
    blob.push(FORMAT);
    key.seal_into(make_array::<NONCE_LEN>(entropy), &check_binding(kind), CHECK_TEXT, &mut blob);
    key.seal_into(make_array::<NONCE_LEN>(entropy), &master_binding(kind, identity), master.expose(), &mut blob);
    blob
}

/// Unwraps what [`wrap`] made.
pub(super) fn unwrap(
    key: &SecretKey,
    blob: &[u8],
    kind: SealKind,
    identity: MasterIdentity,
) -> Result<SecretKey, Fault> {
    let (check, master) = split(blob)?;
    let key = AeadKey::new(key);
    let checked = key.open(&check_binding(kind), check).is_ok();
    match key.open(&master_binding(kind, identity), master) {
        Ok(master) if checked => SecretKey::from_slice(&master).ok_or(Fault::Corrupt("its key is not 32 bytes long")),
        Ok(_) => Err(Fault::Corrupt("its check was altered")),
        Err(_) if checked => Err(Fault::Corrupt("it was altered, or is another vault's or another version's")),
        Err(_) => Err(Fault::WrongKey),
    }
}

/// Tells whether a blob has the form at all, before a passphrase is asked to pay for its key.
pub(super) fn split(blob: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let [format, sealed @ ..] = blob else {
        return Err(Fault::Corrupt("it is empty"));
    };
    if *format != FORMAT {
        return Err(Fault::Corrupt("its format is unknown to this release"));
    }
    if sealed.len() != CHECK_LEN + MASTER_LEN {
        return Err(Fault::Corrupt("it has the wrong length"));
    }
    Ok(sealed.split_at(CHECK_LEN))
}

/// Why a blob did not unwrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    WrongKey,
    Corrupt(&'static str),
}

/// Leaves the vault's and the key's identity out, so that the right key with another vault's row is not called wrong.
fn check_binding(kind: SealKind) -> Vec<u8> {
    Encoder::new("leasehold seal-check v1").field(kind.as_str().as_bytes()).finish()
}

fn master_binding(kind: SealKind, identity: MasterIdentity) -> Vec<u8> {
    Encoder::new("leasehold seal v1")
        .field(kind.as_str().as_bytes())
        .field(identity.vault.as_bytes())
        .key(identity.key)
        .field(&identity.version.to_be_bytes())
        .finish()
}
