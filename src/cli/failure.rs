//! How a command ends badly: one line on standard error with the cause and the remedy, and an exit code.

use super::{client::ClientError, output};
use crate::{
    audit::{StartError, anchor::AnchorError, verify::VerifyError},
    config::{ConfigError, SecretUnreadable},
    dev::DevError,
    evidence::Flaw,
    keyring::init::InitError,
    register::RegisterError,
    seal::{KeyFileError, PassphraseError},
    server::assembly::ServeError,
    store::{StoreError, copy::CopyError},
};
use std::{io, path::PathBuf, process::ExitCode};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line or the environment does not say enough, or contradicts itself.
    #[error("{0}")]
    Usage(String),
    /// The command ran to its end and has already said what did not go well.
    #[error("{0}")]
    Reported(String),
    #[error("cannot start: {0}; check the limits on threads and open files")]
    Runtime(io::Error),
    #[error("cannot {doing} {}: {source}", path.display())]
    File { path: PathBuf, doing: &'static str, source: io::Error },
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Secret(#[from] SecretUnreadable),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Dev(#[from] DevError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error("the audit log does not verify: {0}")]
    Verify(#[from] VerifyError),
    #[error("it does not verify: {0}")]
    Evidence(#[from] Flaw),
}

impl Failure {
    /// Makes a usage failure: exit code 2.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Says what happened, and returns the exit code for it.
    pub(super) fn report(&self) -> ExitCode {
        // Whoever reads only the first lines of a listing has closed the pipe on purpose.
        if let Self::Output(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        output::complain(&format!("leasehold: {self}"));
        match self {
            Self::Usage(_) | Self::Client(ClientError::Incomplete(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
