//! Ending access: cuts of a connection, a tenant, a worker or everything, the requests in flight that they stop, what
//! they destroy, and the receipts that say so.

pub mod in_flight;

pub use in_flight::{Cut, InFlight, Passage};
