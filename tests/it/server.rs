mod accept;
mod drain;
mod support;
mod tls;

pub(crate) use support::TestServer;
