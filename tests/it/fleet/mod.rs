//! Several nodes as real processes, which tests kill, freeze and cut off.

mod revocation;
