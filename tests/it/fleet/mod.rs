//! Several nodes over one database as real processes, which tests kill, freeze and cut off.

mod clients;
mod failover;
mod history;
mod planted;
mod refreshes;
mod silence;
mod smoke;
mod upgrade;
