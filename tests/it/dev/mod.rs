//! `leasehold dev` as a process of its own: the whole story over real sockets, with clients that know nothing of it.

mod canary;
mod kill;
mod memory;
mod program;
mod sdk;
mod story;

use program::Dev;
