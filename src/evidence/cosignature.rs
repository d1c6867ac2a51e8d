//! Co-signatures of witnesses (C2SP `tlog-cosignature`, version 1, Ed25519): a witness says that it saw the log grow to a
//! checkpoint without being rewritten, and when.

use super::Flaw;
use crate::clock::Timestamp;
use data_encoding::BASE64;
use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, Signature, VerifyingKey};
use signed_note::{Note, VerificationError, Verifier, Verifiers, is_key_name_valid, key_id};
use std::time::Duration;

/// The type of an Ed25519 key that signs with the time (C2SP `signed-note`).
const TIMESTAMPED_ED25519: u8 = 0x04;
/// What a co-signature is before its signature: seconds since the Unix epoch, big-endian.
const TIME_LENGTH: usize = 8;

/// A witness's public key, in the form of C2SP `signed-note`: `name+id+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    text: String,
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// That a witness co-signed a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Witnessed {
    /// The witness's name.
    pub witness: String,
    /// When it did, by its own clock.
    pub at: Timestamp,
}

impl WitnessKey {
    /// Reads a key.
    ///
    /// # Errors
    /// Where it is no key of a witness.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let malformed = |why: &str| Flaw::Keys(format!("a witness's key {why}"));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("is written name+id+key"));
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| malformed("ends with what is no base64"))?;
        let Some((&TIMESTAMPED_ED25519, key)) = bytes.split_first() else {
            return Err(malformed("is of type 4, Ed25519 with the time (C2SP tlog-cosignature)"));
        };
        let key = <&[u8; PUBLIC_KEY_LENGTH]>::try_from(key).map_err(|_| malformed("has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| malformed("is no point of the curve"))?;
        if !is_key_name_valid(name) || id != format!("{:08x}", key_id(name, &bytes)) {
            return Err(malformed("bears another id than its name and key give"));
        }
        Ok(Self { text: text.to_owned(), name: name.to_owned(), id: key_id(name, &bytes), key })
    }

    /// Returns the witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key as it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Finds this witness's co-signature among the signatures of a note, and checks it; `None` where there is none. Returns
    /// its line too, without its end.
    ///
    /// # Errors
    /// Where the note is malformed, or the co-signature is false.
    pub fn check(&self, note: &str) -> Result<Option<(Witnessed, String)>, Flaw> {
        let refused = |why: String| Flaw::Unwitnessed { witness: self.name.clone(), why };
        let note = Note::from_bytes(note.as_bytes()).map_err(|why| refused(why.to_string()))?;
        let verified = match note.verify(&Only(self)) {
            Ok((verified, _)) => verified,
            Err(signed_note::NoteError::UnverifiedNote) => return Ok(None),
            Err(why) => return Err(refused(why.to_string())),
        };
        let Some(found) = verified.first() else { return Ok(None) };
        let time = found.signature().first_chunk::<TIME_LENGTH>();
        let seconds = time.map_or(0, |time| u64::from_be_bytes(*time));
        let at = Timestamp::from_micros(0).plus(Duration::from_secs(seconds));
        let line = String::from_utf8(found.to_bytes()).map_err(|why| refused(why.to_string()))?;
        let line = line.trim_end_matches('\n').to_owned();
        Ok(Some((Witnessed { witness: self.name.clone(), at }, line)))
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<TIME_LENGTH>() else { return false };
        let Ok(signature) = <[u8; SIGNATURE_LENGTH]>::try_from(signature) else { return false };
        let seconds = u64::from_be_bytes(*time);
        if i64::try_from(seconds).is_err() {
            return false;
        }
        let signed = [cosigned_prefix(seconds).as_bytes(), text].concat();
        self.key.verify_strict(&signed, &Signature::from_bytes(&signature)).is_ok()
    }
}

/// Writes what a witness signs before the checkpoint's text.
#[must_use]
pub fn cosigned_prefix(seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n")
}

/// Knows one witness.
struct Only<'a>(&'a WitnessKey);

impl Verifiers for Only<'_> {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if name == self.0.name && id == self.0.id {
            Ok(self.0)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    const TEXT: &str = "leasehold/x\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

    fn witness(seed: u8, name: &str) -> (SigningKey, WitnessKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let bytes = [&[TIMESTAMPED_ED25519][..], key.verifying_key().as_bytes()].concat();
        let text = format!("{name}+{:08x}+{}", key_id(name, &bytes), BASE64.encode(&bytes));
        (key, WitnessKey::parse(&text).unwrap())
    }

    fn line(key: &SigningKey, public: &WitnessKey, seconds: u64, signed: &str) -> String {
        let signature = key.sign(format!("{}{signed}", cosigned_prefix(seconds)).as_bytes());
        let bytes = [&public.id.to_be_bytes()[..], &seconds.to_be_bytes(), &signature.to_bytes()].concat();
        format!("— {} {}", public.name, BASE64.encode(&bytes))
    }

    #[test]
    fn a_co_signature_is_found_among_others_and_tells_its_time() {
        let ((key, public), (other, others)) = (witness(1, "witness.example/w1"), witness(2, "witness.example/w2"));
        let own = line(&key, &public, 1_679_315_147, TEXT);
        let note = format!("{TEXT}\n{}\n{own}\n", line(&other, &others, 5, TEXT));
        let (witnessed, found) = public.check(&note).unwrap().unwrap();
        assert_eq!((witnessed.at.to_string().as_str(), found), ("2023-03-20T12:25:47.000000Z", own));
        let note = format!("{TEXT}\n{}\n", line(&other, &others, 5, TEXT));
        assert_eq!(public.check(&note), Ok(None));
    }

    #[test]
    fn a_co_signature_of_another_text_time_or_key_is_false() {
        let ((key, public), (other, _)) = (witness(1, "w"), witness(2, "w"));
        let false_lines = [
            line(&key, &public, 5, &TEXT.replace('7', "8")),
            line(&other, &public, 5, TEXT),
            line(&key, &public, u64::MAX, TEXT),
            line(&key, &public, 5, TEXT).replace("AAAAAAAAAAU", "AAAAAAAAAAY").replace("AAAAAAAAAF", "AAAAAAAAAG"),
        ];
        for line in false_lines {
            let note = format!("{TEXT}\n{line}\n");
            assert!(matches!(public.check(&note), Err(Flaw::Unwitnessed { .. })), "{line}");
        }
    }

    #[test]
    fn a_key_of_another_type_or_id_is_none_of_a_witness() {
        let (_, public) = witness(1, "w");
        for ill in [
            "",
            "w",
            "w+00000000",
            &public.text.replace("w+", "v+"),
            // A log's key: the type is 1.
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(WitnessKey::parse(ill).is_err(), "{ill}");
        }
    }
}
