//! Several nodes over one database, as real processes.

mod smoke;
