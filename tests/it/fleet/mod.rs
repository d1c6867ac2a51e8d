//! Several nodes as real processes, which tests kill, freeze and cut off.

mod failover;
mod refreshes;
mod revocation;
mod silence;
mod upgrade;
