//! What a cut answers: when it became true, what it stopped and destroyed, and what is still out there until when.

use crate::{
    clock::Timestamp,
    fleet::NodeCut,
    id::{ConnectionId, ReceiptId, TenantId, UserId, WorkerId},
    store::{credentials::Destroyed, leases::ResidualRow},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many residual tokens a receipt lists itself; the rest come in pages.
pub const RESIDUALS_LISTED: i64 = 50;

crate::domain::words! {
    /// What was cut.
    CutKind, "kind of cut" {
        /// One connection, for good: its credential is destroyed.
        Connection = "connection",
        /// All of a tenant's connections, for good.
        Tenant = "tenant",
        /// All that a worker held.
        Worker = "worker",
        /// Everything that anybody held.
        Vault = "vault",
        /// One connection, reversibly.
        Suspension = "suspension",
    }
}

/// A receipt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: ReceiptId,
    /// What was cut.
    pub kind: CutKind,
    /// The connection, tenant or worker; nil for everything.
    pub subject: Uuid,
    /// Whose it was; nil where it was of no single tenant.
    #[schema(value_type = String, format = Uuid)]
    pub tenant: TenantId,
    /// Who did it.
    #[schema(value_type = String, format = Uuid)]
    pub actor: UserId,
    /// The sequence number of its entry: no use with a higher one passed.
    pub seq: i64,
    /// When it was committed.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many leases were alive before, to the minute of their expiry.
    pub leases_ended: i64,
    /// How many requests in flight were stopped, as far as the nodes could say: one whose lease had ended did not report,
    /// and what two raises of one subject stopped within one look is counted once.
    pub requests_cut: usize,
    /// Whether every node has stopped them, and since when.
    pub confirmation: Option<Confirmation>,
    /// What was destroyed.
    pub destruction: Destruction,
    /// Whether the provider was told.
    pub provider: ProviderNotice,
    /// What left the vault before, and lives on.
    pub residual: Residual,
}

/// The cut is true on every node.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Confirmation {
    /// When the last of them had stopped.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The nodes, and how each of them ceased.
    pub nodes: Vec<NodeCut>,
}

/// What a cut destroyed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Destruction {
    /// In the same commit: no live database holds it any more.
    Done {
        /// Data keys, without which nothing that they sealed opens.
        data_keys: u64,
        /// Credential versions.
        credentials: u64,
        /// Cached access tokens.
        access_tokens: u64,
        /// Where older copies remain, until the next turnover of keys.
        older_copies: Vec<String>,
    },
    /// By a job that has begun and survives a crash; nothing is usable meanwhile.
    Following,
    /// Nothing: this cut keeps credentials.
    None,
}

impl Destruction {
    /// Says what was destroyed, and where older copies remain.
    #[must_use]
    pub fn done(destroyed: Destroyed) -> Self {
        let Destroyed { data_keys, credentials, access_tokens } = destroyed;
        let older_copies = vec![
            "the database's write-ahead log, until it is checkpointed".to_owned(),
            "backups made before this receipt, until the next turnover of keys".to_owned(),
        ];
        Self::Done { data_keys, credentials, access_tokens, older_copies }
    }
}

/// Whether the provider was told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProviderNotice {
    /// Whether it was.
    pub told: bool,
    /// Why not, and what the owner can do there.
    pub note: String,
}

/// Access tokens that left the vault before the cut. Nothing can recall them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Residual {
    /// How many live.
    pub count: i64,
    /// When the last of them dies.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_ends_at: Option<Timestamp>,
    /// The longest-lived of them.
    pub tokens: Vec<ResidualToken>,
    /// Where to read the rest, if there are more.
    pub more: Option<String>,
}

/// One access token in one worker's hands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResidualToken {
    /// Of which connection.
    #[schema(value_type = String, format = Uuid)]
    pub connection: ConnectionId,
    /// Who took it.
    #[schema(value_type = String, format = Uuid)]
    pub worker: WorkerId,
    /// Which of the connection's tokens it is.
    pub generation: i64,
    /// When that worker first took it.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When it dies.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

impl From<ResidualRow> for ResidualToken {
    fn from(row: ResidualRow) -> Self {
        let ResidualRow { connection, worker, generation, first_at, expires_at } = row;
        Self { connection, worker, generation, first_at, ends_at: expires_at }
    }
}
