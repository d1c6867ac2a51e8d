//! Several nodes over one database, as real processes.

mod clients;
mod history;
mod planted;
mod smoke;
