//! Whether a tenant, user, worker or grant is in force.

use super::words;

words! {
    /// The state of a noun that is either in force or ended. An ended one never comes back under the same id.
    Standing, "standing" {
        /// In force.
        Active = "active",
        /// Ended: a revoked tenant, a disabled user or worker, a withdrawn grant.
        Ended = "ended",
    }
}
