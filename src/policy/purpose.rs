//! What a grant is made of besides scopes: the module that work is done for, and how the worker gets to use a connection.

use crate::domain::words;

words! {
    /// The product part that work is done for.
    Module, "module" {
        /// Daily operations.
        Ops = "ops",
        /// Advertising, prices, listings.
        Marketing = "marketing",
        /// Shipping and stock.
        Logistics = "logistics",
        /// Settlements and payments.
        Finance = "finance",
    }
}

words! {
    /// How a worker gets to use a connection.
    Delivery, "delivery" {
        /// Calls go through the egress gateway; the worker never holds a token.
        Gateway = "gateway",
        /// The worker is handed an access token, which outlives a revocation until it expires.
        Token = "token",
        /// The worker is handed a static credential. Only static ERP credentials may be delivered so.
        Secret = "secret",
    }
}
