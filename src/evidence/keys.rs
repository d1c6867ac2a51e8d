//! The keys that an auditor trusts, and how one key introduces the next.

use super::Flaw;
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};

/// The first line of an introduction. A checkpoint begins with its log's name, so that neither passes for the other.
const INTRODUCTION: &str = "leasehold-signer-introduction/v1";

/// Verifier keys of one log, in the form of C2SP `signed-note`: `name+id+base64`.
#[derive(Clone, Debug)]
pub struct Keys {
    origin: String,
    keys: Vec<String>,
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
        let mut keys = Self { origin: name_of(first)?, keys: vec![first.to_owned()] };
        for line in lines {
            let name = name_of(line)?;
            if name != keys.origin {
                return Err(Flaw::Keys(format!("they are of different logs, {} and {name}", keys.origin)));
            }
            keys.keys.push(line.to_owned());
        }
        Ok(keys)
    }

    /// Returns the name of the log, which each of its keys bears.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Lists the keys.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Takes in each key that a trusted one has introduced, whatever the order of the introductions. One that leads
    /// nowhere is passed over: it may be of a time before the trusted keys.
    ///
    /// # Errors
    /// Where an introduction is malformed, or bears a trusted key's name and not its signature.
    pub fn introduce(&mut self, introductions: &[String]) -> Result<(), Flaw> {
        let mut waiting: Vec<&String> = introductions.iter().collect();
        loop {
            let before = waiting.len();
            let mut still = Vec::new();
            for introduction in waiting {
                match self.introduced_by(introduction)? {
                    Some(key) if self.keys.contains(&key) => {}
                    Some(key) => self.keys.push(key),
                    None => still.push(introduction),
                }
            }
            if still.len() == before || still.is_empty() {
                return Ok(());
            }
            waiting = still;
        }
    }

    /// Opens a note that one of the keys has signed, and returns its text. Signatures of unknown keys, such as those of
    /// witnesses, are passed over.
    pub(super) fn open(&self, what: &'static str, note: &str) -> Result<String, Flaw> {
        let refused = |why: String| Flaw::Signature { what, why };
        let note = Note::from_bytes(note.as_bytes()).map_err(|why| refused(why.to_string()))?;
        note.verify(&verifiers(self.iter())?).map_err(|why| refused(why.to_string()))?;
        String::from_utf8(note.text().to_vec()).map_err(|why| refused(why.to_string()))
    }

    /// Returns the key that a note introduces, where a trusted key signed it and the new one too.
    fn introduced_by(&self, introduction: &str) -> Result<Option<String>, Flaw> {
        const WHAT: &str = "an introduction of a key";
        let form = |why: &str| Flaw::Signature { what: WHAT, why: why.to_owned() };
        let note = Note::from_bytes(introduction.as_bytes()).map_err(|why| form(&why.to_string()))?;
        let text = std::str::from_utf8(note.text()).map_err(|_| form("it is not text"))?;
        let [INTRODUCTION, origin, key] = text.lines().collect::<Vec<_>>()[..] else {
            return Err(form("it is not in its form"));
        };
        if origin != self.origin || name_of(key)? != self.origin {
            return Err(Flaw::Origin { what: WHAT, found: origin.to_owned(), expected: self.origin.clone() });
        }
        // Of itself alone anybody can make a key; of the old one alone a thief could appoint somebody else's.
        note.verify(&verifiers([key])?).map_err(|why| form(&format!("the new key itself: {why}")))?;
        match note.verify(&verifiers(self.iter())?) {
            Ok(_) => Ok(Some(key.to_owned())),
            Err(signed_note::NoteError::UnverifiedNote) => Ok(None),
            Err(why) => Err(form(&why.to_string())),
        }
    }
}

fn name_of(key: &str) -> Result<String, Flaw> {
    let verifier = StandardVerifier::new(key).map_err(|why| Flaw::Keys(why.to_string()))?;
    Ok(verifier.name().to_owned())
}

fn verifiers<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<VerifierList, Flaw> {
    let mut list: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
    for key in keys {
        list.push(Box::new(StandardVerifier::new(key).map_err(|why| Flaw::Keys(why.to_string()))?));
    }
    Ok(VerifierList::new(list))
}
