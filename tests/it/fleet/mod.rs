//! Several nodes over one database as real processes, which tests kill, freeze and cut off.

#![allow(clippy::print_stdout, reason = "a run says its seed and its figures")]

mod clients;
mod endings;
mod failover;
mod history;
mod lost_track;
mod planted;
mod refreshes;
mod silence;
mod smoke;
mod upgrade;
