//! The HTTP API: who is answered what, and the faults of other vaults tried on it.

mod matrix;
mod table;
mod world;
