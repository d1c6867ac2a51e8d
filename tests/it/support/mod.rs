//! The tests' own support, where a fault in it would make other tests pass for nothing.

mod postgres;
mod tcp_proxy;
