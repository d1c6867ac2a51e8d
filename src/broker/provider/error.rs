//! Why a provider file is refused at start: which file, which key, and what is wrong with it.

use crate::policy::{Scope, scope::ScopeError, template::TemplateError};

/// A provider file is refused. The vault does not start with half of a policy.
#[derive(Debug, thiserror::Error)]
#[error("provider file {file}, {key}: {reason}")]
pub struct ProviderError {
    /// The file's name.
    pub file: String,
    /// The key within the file, or `file` for the whole.
    pub key: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a provider file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is longer than [`super::Catalogue::MAX_FILE_BYTES`].
    #[error("longer than {} bytes", super::Catalogue::MAX_FILE_BYTES)]
    TooLong,
    /// The file is not TOML, or not of the form that is expected.
    #[error("{0}")]
    Form(String),
    /// The name is not `[a-z][a-z0-9-]*`, at most 64 bytes.
    #[error("`{0}` is not a name: lower-case letters, digits and hyphens are expected")]
    BadName(String),
    /// Another file has that name.
    #[error("a provider named `{0}` is already loaded")]
    NameTwice(String),
    /// An address is not https, has credentials, a query or a fragment, names its host by number, or has a path where only a
    /// host is expected. It is not repeated: it may hold a password.
    #[error("not an https address of the expected form")]
    BadAddress,
    /// A header's name is not one, or one that must not be injected or read.
    #[error("`{0}` is not a usable header name")]
    BadHeader(String),
    /// The margin is more than a fifth of the lifetime.
    #[error(
        "a margin of {margin_s} s is more than a fifth of a lifetime of {lifetime_s} s: tokens would be refreshed for ever"
    )]
    MarginTooLarge {
        /// The margin.
        margin_s: u64,
        /// The lifetime.
        lifetime_s: u64,
    },
    /// A scope is malformed, or there are too many.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A scope is declared twice.
    #[error("`{0}` is declared twice")]
    ScopeTwice(Scope),
    /// A scope is used that the file does not declare.
    #[error("`{0}` is not declared as a [[scope]]")]
    ScopeUndeclared(Scope),
    /// A route is malformed or listed twice.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A rule names a route that no scope lists.
    #[error("`{0}` is not a route of any scope")]
    NotARoute(String),
    /// A route that is found by an id has no parameter, or several.
    #[error("`{0}` must have exactly one parameter, the id")]
    NotById(String),
    /// A route lies under a path that is refused.
    #[error("`{0}` lies under a refused path")]
    MintsTokens(String),
    /// A refused path is not one.
    #[error("`{0}` is not a path of literal segments")]
    BadPath(String),
    /// A report or feed type is not `[A-Z0-9_]+`, or a family too wide.
    #[error(
        "`{0}` is not a type: capitals, digits and underscores are expected, with at least 8 of them before a final *"
    )]
    BadType(String),
    /// A report or feed type is listed twice.
    #[error("type `{0}` is listed twice")]
    TypeTwice(String),
    /// Two entries of a list are about the same thing.
    #[error("`{0}` is listed twice")]
    ListedTwice(String),
}
