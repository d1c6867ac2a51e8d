//! What each service's errors are to a caller.

use super::{BY_HAND, Problem, ProblemKind, SOON};
use crate::{
    audit::{ChangeError, CheckpointError, ExportError, FenceRefusal, ProofError, SignError, SubmitError, UseError},
    broker::{ApplicationError, AuthorizeRefusal, ConsentError, ImportError, TokenCallError, TokenFailure},
    custody::{CustodyError, CutRefusal},
    identity::PersonError,
    keyring::{KeyringError, ShareRefused, TokenError},
    policy::Refusal,
    register::{Refused, RegisterError},
    seal::SealError,
    store::StoreError,
};
use std::{convert::Infallible, time::Duration};

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken => Self::new(ProblemKind::Taken),
            StoreError::Corrupt { .. } | StoreError::UnknownUrl | StoreError::Migration(_) => Self::internal(&error),
            StoreError::Quarantined(why) => Self::quarantined(&why.to_string()),
            StoreError::Open(_)
            | StoreError::Failed(_)
            | StoreError::Server(_)
            | StoreError::NoAnswer(_)
            | StoreError::ClocksApart { .. }
            | StoreError::Claimed
            | StoreError::Unclaimed { .. }
            | StoreError::UnfinishedCopy
            | StoreError::CopiedAway
            | StoreError::StandbyGivenUp => Self::unavailable(&error),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => {
                Self::new(ProblemKind::Unavailable).with_reason("overloaded").with_retry_after(Duration::from_secs(1))
            }
            SubmitError::Quarantined(why) => Self::quarantined(&why),
            SubmitError::Unanchored(_) => Self::unavailable(&error).with_reason("unanchored"),
            SubmitError::Failed(_) | SubmitError::Closed => Self::unavailable(&error).with_reason("unrecorded"),
            SubmitError::InDoubt => Self::unavailable(&error).with_reason("in_doubt"),
            SubmitError::CallerEnded => Self::new(ProblemKind::Unauthenticated).with_detail(error.to_string()),
        }
    }
}

impl<R: Into<Self>> From<ChangeError<R>> for Problem {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Refused(refused) => refused.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<FenceRefusal> for Problem {
    fn from(refusal: FenceRefusal) -> Self {
        Self::new(ProblemKind::LeaseRefused).with_reason(refusal.as_str()).with_detail(refusal.to_string())
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotOurs => Self::lease_unusable(),
            TokenError::Sealed => Self::from(KeyringError::Sealed),
            TokenError::Unknown => Self::unavailable(&error),
        }
    }
}

impl From<CutRefusal> for Problem {
    fn from(refusal: CutRefusal) -> Self {
        match refusal {
            CutRefusal::Missing => Self::not_found(),
            CutRefusal::State(_) => Self::new(ProblemKind::Conflict).with_detail(refusal.to_string()),
        }
    }
}

impl From<CustodyError> for Problem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Refused(refusal) => refusal.into(),
            CustodyError::Store(error) => error.into(),
            CustodyError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<UseError> for Problem {
    fn from(error: UseError) -> Self {
        match error {
            UseError::Refused(refusal) => refusal.into(),
            UseError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Sealed => {
                Self::new(ProblemKind::Sealed).with_detail(error.to_string()).with_retry_after(BY_HAND)
            }
            KeyringError::Store(error) => error.into(),
            KeyringError::Unrecorded(error) => error.into(),
            KeyringError::Destroyed => Self::new(ProblemKind::Conflict).with_detail(error.to_string()),
            KeyringError::Seal(error) => error.into(),
            KeyringError::WrongKey(_) | KeyringError::Unwrap(_) | KeyringError::Open(_) | KeyringError::Sealing(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        match error {
            // The remedy names files of the host; the officer who asks is told, because nobody else can be here.
            SealError::WrongKey { .. } | SealError::OtherKind { .. } => {
                Self::new(ProblemKind::Conflict).with_reason("wrong_seal").with_detail(error.to_string())
            }
            SealError::Corrupt { .. } => Self::internal(&error),
            SealError::KeyFile(_) | SealError::OutOfMemory(_) | SealError::Stopped => Self::unavailable(&error),
        }
    }
}

impl From<ShareRefused> for Problem {
    fn from(refused: ShareRefused) -> Self {
        let detail = refused.to_string();
        match refused {
            ShareRefused::NotAShare(_) => Self::malformed("share", detail),
            ShareRefused::NotOurs(_) | ShareRefused::Repeated { .. } => {
                Self::new(ProblemKind::Conflict).with_detail(detail)
            }
        }
        .with_reason(refused.as_str())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Foreign => Self::not_found(),
            Refusal::Role => Self::new(ProblemKind::Forbidden),
        }
    }
}

impl From<PersonError> for Problem {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Unknown => Self::new(ProblemKind::Unauthenticated).with_detail(error.to_string()),
            PersonError::Store(error) => error.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing(_) => Self::not_found(),
            Refused::OtherBody => Self::new(ProblemKind::KeyReused),
            Refused::Ended(_) | Refused::HasStaff | Refused::HasPeople => {
                Self::new(ProblemKind::Conflict).with_detail(refused.to_string())
            }
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Name(name) => Self::malformed(name.field, name.to_string()),
            RegisterError::Malformed { field, .. } => Self::malformed(field, error.to_string()),
            RegisterError::Undeclared(_) => Self::malformed("scopes", error.to_string()),
            RegisterError::Taken(_) => Self::new(ProblemKind::Taken).with_detail(error.to_string()),
            RegisterError::Refused(refused) => refused.into(),
            RegisterError::Share(refused) => refused.into(),
            RegisterError::Keyring(error) => error.into(),
            RegisterError::Store(error) => error.into(),
            RegisterError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<ApplicationError> for Problem {
    fn from(error: ApplicationError) -> Self {
        match error {
            ApplicationError::NoProvider => Self::malformed("provider", error.to_string()),
            ApplicationError::Changed => Self::new(ProblemKind::Conflict).with_detail(error.to_string()),
            ApplicationError::Keyring(error) => error.into(),
            ApplicationError::Store(error) => error.into(),
            ApplicationError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<TokenCallError> for Problem {
    fn from(error: TokenCallError) -> Self {
        let retry_after = match &error {
            TokenCallError::Answered { retry_after, .. } => *retry_after,
            _ => None,
        };
        let problem = Self::new(ProblemKind::Provider).with_reason(error.failure().as_str());
        Self { retry_after, ..problem.with_detail(error.to_string()) }
    }
}

impl From<TokenFailure> for Problem {
    fn from(failure: TokenFailure) -> Self {
        let detail = failure.to_string();
        match failure {
            TokenFailure::Sealed => KeyringError::Sealed.into(),
            TokenFailure::NotServing(state) => {
                Self::new(ProblemKind::Conflict).with_reason(state.as_str()).with_detail(detail)
            }
            TokenFailure::Transient => Self::new(ProblemKind::Provider).with_detail(detail).with_retry_after(SOON),
            TokenFailure::Busy => {
                Self::new(ProblemKind::Unavailable).with_reason("busy").with_detail(detail).with_retry_after(SOON)
            }
            TokenFailure::Throttled(wait) => {
                Self::new(ProblemKind::ProviderThrottled).with_detail(detail).with_retry_after(wait)
            }
            TokenFailure::Application => {
                Self::new(ProblemKind::Provider).with_reason("application").with_detail(detail)
            }
            TokenFailure::Vault(_) => Self::unavailable(&failure),
        }
    }
}

impl From<AuthorizeRefusal> for Problem {
    fn from(refusal: AuthorizeRefusal) -> Self {
        Self::new(ProblemKind::Conflict).with_detail(refusal.to_string())
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NoConnection => Self::not_found(),
            ImportError::Provider(error) => error.into(),
            ImportError::Client(failure) => failure.into(),
            ImportError::Refused(refusal) => refusal.into(),
            ImportError::Keyring(error) => error.into(),
        }
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::NoConnection => Self::not_found(),
            ConsentError::Provider(error) => error.into(),
            ConsentError::Client(failure) => failure.into(),
            ConsentError::Refused(refusal) => refusal.into(),
            ConsentError::Keyring(error) => error.into(),
            ConsentError::Malformed(_) | ConsentError::Unknown => {
                Self::new(ProblemKind::Malformed).with_reason(error.word()).with_detail(error.to_string())
            }
            ConsentError::OtherBrowser | ConsentError::CallerEnded => {
                Self::new(ProblemKind::Forbidden).with_reason(error.word()).with_detail(error.to_string())
            }
            ConsentError::State(_) | ConsentError::NoPage | ConsentError::NoApplication | ConsentError::Declined => {
                Self::new(ProblemKind::Conflict).with_reason(error.word()).with_detail(error.to_string())
            }
        }
    }
}

impl From<CheckpointError> for Problem {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Sign(SignError::Sealed) => Self::from(KeyringError::Sealed),
            CheckpointError::Sign(SignError::Store(error)) | CheckpointError::Store(error) => error.into(),
            CheckpointError::Unrecorded(error) => error.into(),
            CheckpointError::Sign(SignError::Failed(_)) | CheckpointError::Flaw(_) => Self::internal(&error),
        }
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::OutOfTree(_) => Self::malformed("older", error.to_string()),
            ProofError::Store(error) => error.into(),
        }
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Older(error) => Self::from(ProofError::OutOfTree(error)),
            ExportError::Checkpoint(error) => error.into(),
            ExportError::Store(error) => error.into(),
        }
    }
}
