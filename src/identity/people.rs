//! People by access key: a bearer secret of 256 random bits, recognised by its hash.

use super::Identity;
use crate::{
    policy::Actor,
    secret::SecretHash,
    store::{StoreError, users},
};

/// Why a bearer token is nobody's.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// It is no key of an active person, or it has expired or was ended.
    #[error("the access key is unknown, expired or ended")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Identity {
    /// Says who bears an access key. Costs one read by the key's hash, for known and unknown keys alike.
    ///
    /// # Errors
    /// `Unknown`, whatever the reason.
    pub async fn person(&self, key: &str) -> Result<Actor, PersonError> {
        let mut reader = self.db.reader().await?;
        let found = users::access_key_caller(&mut reader.link(), &SecretHash::of(key)).await?;
        let caller = found.ok_or(PersonError::Unknown)?;
        if caller.expires_at.is_some_and(|expires_at| expires_at <= self.clock.now()) {
            return Err(PersonError::Unknown);
        }
        Actor::new(caller.user, caller.role, caller.tenant, caller.epoch)
            .map_err(|wrong| StoreError::corrupt("users", "role", wrong.user).into())
    }
}

/// Normalises an e-mail address, once, where it enters: trimmed and in lower case, so that an alias by case or spaces is
/// the same person. `None` where it is none: one `@`, something on either side, at most 254 bytes, no control characters.
#[must_use]
pub fn normalise_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    (email.len() <= 254 && plain(local) && plain(domain)).then_some(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_by_case_and_spaces_are_one_person() {
        for alias in ["Ada@Example.com", "  ada@example.com ", "ADA@EXAMPLE.COM"] {
            assert_eq!(normalise_email(alias).as_deref(), Some("ada@example.com"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "ada", "@example.com", "ada@", "a@b@c", "a da@example.com", "a\u{0}@example.com"] {
            assert_eq!(normalise_email(text), None, "{text:?}");
        }
    }
}
