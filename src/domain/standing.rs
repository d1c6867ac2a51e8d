//! Whether a tenant, user, worker or grant is in force.

use super::words;

words! {
    /// The state of a noun that is either in force or ended. Only a tenant and a grant come back: a tenant once its
    /// revoked credentials are destroyed, a grant when its owner sets it again.
    Standing, "standing" {
        /// In force.
        Active = "active",
        /// Ended: a tenant whose revocation is being carried out, a disabled user or worker, a withdrawn grant.
        Ended = "ended",
    }
}
