//! Why nothing is released over a database: nobody knows it to be the newest.

/// What a security officer does about a quarantine.
pub const REMEDY: &str =
    "put the newest database back, or, if it is gone for good, accept this one with `leasehold restore accept`";

/// Why nothing is released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Quarantine {
    /// The database is older than what a node acknowledged.
    #[error("the database lacks entry {seq}, which node {node} acknowledged: it is a restored backup or an older copy")]
    Lacks {
        /// The entry's sequence number.
        seq: i64,
        /// Who acknowledged it.
        node: String,
    },
    /// The node has nothing to compare the database with.
    #[error(
        "this node has no anchor of this vault, and no live node vouches for the database: nobody can say whether it is the newest"
    )]
    NoAnchor,
    /// What the node has cannot be read.
    #[error(
        "this node's anchor is damaged ({0}), and no live node vouches for the database: nobody can say whether it is the newest"
    )]
    DamagedAnchor(&'static str),
    /// What the node has ended with a restore that was accepted.
    #[error(
        "a restore was accepted that this node took no part in, and no live node vouches for the database: nobody can say whether it is the newest"
    )]
    Superseded,
    /// The database has another incarnation than the node works under.
    #[error(
        "the database is of another incarnation than this node: a restore was accepted, or one that was accepted is undone"
    )]
    OtherIncarnation,
    /// Another node found it out.
    #[error("{0}")]
    Told(String),
}
