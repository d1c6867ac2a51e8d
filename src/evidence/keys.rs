//! The keys that an auditor trusts, and how one key introduces the next.

use super::{Flaw, WitnessKey, Witnessed};
use signed_note::{Note, StandardVerifier, VerificationError, Verifier, Verifiers};
use std::fmt;

/// The first line of an introduction. A checkpoint begins with its log's name, so that neither passes for the other.
const INTRODUCTION: &str = "leasehold-signer-introduction/v1";

/// Verifier keys of one log, in the form of C2SP `signed-note`: `name+id+base64`; and the witnesses that have to have seen
/// its checkpoints.
#[derive(Clone, Debug)]
pub struct Keys {
    origin: String,
    keys: Vec<Key>,
    witnesses: Vec<WitnessKey>,
}

#[derive(Clone)]
struct Key {
    text: String,
    verifier: StandardVerifier,
}

/// Writes what a key signs together with the one before it when it takes over.
#[must_use]
pub fn introduction_text(origin: &str, key: &str) -> String {
    format!("{INTRODUCTION}\n{origin}\n{key}\n")
}

impl Keys {
    /// Reads keys, one a line; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// Where a line is no key, there is none, or they are of different logs.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().ok_or_else(|| Flaw::Keys("there is none".into()))?;
        let first = Key::parse(first)?;
        let mut keys = Self { origin: first.verifier.name().to_owned(), keys: vec![first], witnesses: Vec::new() };
        for line in lines {
            let key = Key::parse(line)?;
            if key.verifier.name() != keys.origin {
                let other = key.verifier.name();
                return Err(Flaw::Keys(format!("they are of different logs, {} and {other}", keys.origin)));
            }
            keys.keys.push(key);
        }
        Ok(keys)
    }

    /// Demands that a witness has co-signed each checkpoint that a proof leads to.
    #[must_use]
    pub fn with_witness(mut self, witness: WitnessKey) -> Self {
        self.witnesses.push(witness);
        self
    }

    /// Returns the name of the log, which each of its keys bears.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Lists the keys.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.text.as_str())
    }

    /// Takes in each key that a trusted one has introduced, or one that was taken in before it: they come oldest first, as
    /// they were made. One that leads nowhere is passed over: it may be of a time before the trusted keys. Costs two
    /// signatures for each.
    ///
    /// # Errors
    /// Where an introduction is malformed, or bears a trusted key's name and not its signature.
    pub fn introduce(&mut self, introductions: &[String]) -> Result<(), Flaw> {
        for introduction in introductions {
            if let Some(key) = self.introduced_by(introduction)?
                && !self.iter().any(|known| known == key.text)
            {
                self.keys.push(key);
            }
        }
        Ok(())
    }

    /// Checks that every witness that is demanded has co-signed a checkpoint.
    ///
    /// # Errors
    /// Where one has not, or its co-signature is false.
    pub(super) fn witnessed(&self, note: &str) -> Result<Vec<Witnessed>, Flaw> {
        let witnessed = |witness: &WitnessKey| match witness.check(note)? {
            Some((witnessed, _)) => Ok(witnessed),
            None => {
                let why = "it bears no co-signature of that witness; export again a little later".into();
                Err(Flaw::Unwitnessed { witness: witness.name().to_owned(), why })
            }
        };
        self.witnesses.iter().map(witnessed).collect()
    }

    /// Opens a note that one of the keys has signed, and returns its text. Signatures of unknown keys, such as those of
    /// witnesses, are passed over.
    pub(super) fn open(&self, what: &'static str, note: &str) -> Result<String, Flaw> {
        let refused = |why: String| Flaw::Signature { what, why };
        let note = Note::from_bytes(note.as_bytes()).map_err(|why| refused(why.to_string()))?;
        note.verify(self).map_err(|why| refused(why.to_string()))?;
        String::from_utf8(note.text().to_vec()).map_err(|why| refused(why.to_string()))
    }

    /// Returns the key that a note introduces, where a trusted key signed it and the new one too.
    fn introduced_by(&self, introduction: &str) -> Result<Option<Key>, Flaw> {
        const WHAT: &str = "an introduction of a key";
        let form = |why: &str| Flaw::Signature { what: WHAT, why: why.to_owned() };
        let note = Note::from_bytes(introduction.as_bytes()).map_err(|why| form(&why.to_string()))?;
        let text = std::str::from_utf8(note.text()).map_err(|_| form("it is not text"))?;
        let [INTRODUCTION, origin, key] = text.lines().collect::<Vec<_>>()[..] else {
            return Err(form("it is not in its form"));
        };
        let key = Key::parse(key)?;
        if origin != self.origin || key.verifier.name() != self.origin {
            return Err(Flaw::Origin { what: WHAT, found: origin.to_owned(), expected: self.origin.clone() });
        }
        // Of itself alone anybody can make a key; of the old one alone a thief could appoint somebody else's.
        note.verify(&key).map_err(|why| form(&format!("the new key itself: {why}")))?;
        match note.verify(self) {
            Ok(_) => Ok(Some(key)),
            Err(signed_note::NoteError::UnverifiedNote) => Ok(None),
            Err(why) => Err(form(&why.to_string())),
        }
    }
}

impl Verifiers for Keys {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        let mut found = self.keys.iter().filter(|key| key.verifier.name() == name && key.verifier.key_id() == id);
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(&key.verifier),
            (Some(_), Some(_)) => Err(VerificationError::AmbiguousKey { name: name.to_owned(), id }),
            (None, _) => Err(VerificationError::UnknownKey { name: name.to_owned(), id }),
        }
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, Flaw> {
        let verifier = StandardVerifier::new(text).map_err(|why| Flaw::Keys(why.to_string()))?;
        Ok(Self { text: text.to_owned(), verifier })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Knows one key.
impl Verifiers for Key {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if self.verifier.name() == name && self.verifier.key_id() == id {
            Ok(&self.verifier)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}
