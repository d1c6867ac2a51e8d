//! The HTTP API: who is answered what, and the faults of other vaults tried on it.

mod attacks;
mod matrix;
mod others;
mod table;
mod world;
