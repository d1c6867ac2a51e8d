//! A connection's state machine.

use super::words;

words! {
    /// The state of a connection.
    ConnectionState, "connection state" {
        /// Added, and not yet consented to at the provider.
        Pending = "pending",
        /// Holds a credential that the provider accepts, as far as is known.
        Active = "active",
        /// The provider refused the credential for good: the owner has to consent again.
        NeedsReauthorization = "needs_reauthorization",
        /// Stopped by staff, reversibly; the credential is kept.
        Suspended = "suspended",
        /// Ended by its owner or a security officer; the credential is destroyed. Consenting again revives it with a new one.
        Revoked = "revoked",
    }
}

words! {
    /// What happens to a connection.
    ConnectionStep, "connection step" {
        /// A consent, or an import, brought a credential.
        Authorize = "authorize",
        /// The provider refused the credential for good.
        Refuse = "refuse",
        /// Staff stop it.
        Suspend = "suspend",
        /// Staff or the owner let it go on.
        Resume = "resume",
        /// The owner or a security officer ends it.
        Revoke = "revoke",
    }
}

/// A step does not lead anywhere from the state that the connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection that is {from} cannot {step}")]
pub struct NoSuchStep {
    /// The state it is in.
    pub from: ConnectionState,
    /// The step that was asked for.
    pub step: ConnectionStep,
}

impl ConnectionState {
    /// Returns the state after `step`.
    ///
    /// # Errors
    /// Where the step does not lead anywhere from here: a suspended connection cannot be authorized around its
    /// suspension, and only a suspended one resumes.
    pub fn after(self, step: ConnectionStep) -> Result<Self, NoSuchStep> {
        use ConnectionState::{Active, NeedsReauthorization, Pending, Revoked, Suspended};
        use ConnectionStep::{Authorize, Refuse, Resume, Revoke, Suspend};
        match (self, step) {
            (Pending | Active | NeedsReauthorization | Revoked, Authorize) => Ok(Active),
            (Active | NeedsReauthorization, Refuse) => Ok(NeedsReauthorization),
            // Again, too: who asks twice wants to know that it holds.
            (Pending | Active | NeedsReauthorization | Suspended, Suspend) => Ok(Suspended),
            // What it was before is not remembered: the next refresh finds out whether the credential still works.
            (Suspended, Resume) => Ok(Active),
            (_, Revoke) => Ok(Revoked),
            (from, step) => Err(NoSuchStep { from, step }),
        }
    }

    /// Says whether leases may be issued and used.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionState::*, ConnectionStep::*, *};

    #[test]
    fn every_state_ends_by_revocation() {
        for state in ConnectionState::ALL {
            assert_eq!(state.after(Revoke), Ok(Revoked));
        }
    }

    #[test]
    fn a_suspended_connection_is_not_authorized_around_its_suspension() {
        assert_eq!(Suspended.after(Authorize), Err(NoSuchStep { from: Suspended, step: Authorize }));
        assert_eq!(Suspended.after(Resume), Ok(Active));
    }

    #[test]
    fn only_an_active_connection_serves() {
        assert!(ConnectionState::ALL.iter().all(|state| state.serves() == (*state == Active)));
    }

    #[test]
    fn a_late_refusal_does_not_revive_a_revoked_connection() {
        assert!(Revoked.after(Refuse).is_err());
        assert!(Revoked.after(Resume).is_err());
        assert!(Revoked.after(Suspend).is_err());
    }
}
