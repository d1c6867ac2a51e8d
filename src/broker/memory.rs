//! The access tokens in memory, and how one that was destroyed meanwhile does not come back into it.

use super::Token;
use crate::id::ConnectionId;
use quick_cache::sync::Cache;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many access tokens stay in memory.
const CACHED: usize = 50_000;

/// Access tokens by connection.
pub(super) struct TokenMemory {
    tokens: Cache<ConnectionId, Arc<Token>>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
}

/// A moment in a memory's life: what was begun then is kept only if nothing was forgotten since.
#[derive(Clone, Copy)]
pub(super) struct Moment(u64);

impl TokenMemory {
    pub(super) fn new() -> Self {
        Self { tokens: Cache::new(CACHED), forgotten: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.forgotten.load(Ordering::SeqCst))
    }

    pub(super) fn get(&self, connection: ConnectionId) -> Option<Arc<Token>> {
        self.tokens.get(&connection)
    }

    /// Keeps a token that somebody `began` to get; says whether it was kept.
    pub(super) fn keep(&self, connection: ConnectionId, token: &Arc<Token>, began: Moment) -> bool {
        if self.is_past(began) {
            return false;
        }
        self.tokens.insert(connection, Arc::clone(token));
        // Whoever forgets counts first: either he finds the token, or his count is seen here.
        if self.is_past(began) {
            self.tokens.remove(&connection);
            return false;
        }
        true
    }

    pub(super) fn forget(&self, connection: ConnectionId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.tokens.remove(&connection);
    }

    pub(super) fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.tokens.clear();
    }

    fn is_past(&self, moment: Moment) -> bool {
        self.forgotten.load(Ordering::SeqCst) != moment.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, domain::secrets::AccessToken, secret::SecretText};

    fn token() -> Arc<Token> {
        let at = Timestamp::from_micros(1);
        Arc::new(Token {
            generation: 1,
            secret: AccessToken(SecretText::new("Atza|x".to_owned())),
            expires_at: at,
            refresh_at: at,
        })
    }

    #[test]
    fn a_token_begun_before_a_cut_is_not_kept_after_it() {
        let (memory, connection) = (TokenMemory::new(), ConnectionId::from_uuid(uuid::Uuid::from_u128(1)));
        for forget in [|memory: &TokenMemory, id| memory.forget(id), |memory: &TokenMemory, _| memory.forget_all()] {
            let began = memory.now();
            forget(&memory, connection);
            assert!(!memory.keep(connection, &token(), began));
            assert!(memory.get(connection).is_none());
            assert!(memory.keep(connection, &token(), memory.now()));
            assert!(memory.get(connection).is_some());
        }
    }

    #[test]
    fn a_cut_takes_what_was_kept_before_it() {
        let (memory, connection) = (TokenMemory::new(), ConnectionId::from_uuid(uuid::Uuid::from_u128(1)));
        memory.keep(connection, &token(), memory.now());
        memory.forget(connection);
        assert!(memory.get(connection).is_none());
        memory.keep(connection, &token(), memory.now());
        memory.forget_all();
        assert!(memory.get(connection).is_none());
    }
}
