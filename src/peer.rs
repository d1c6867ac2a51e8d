//! Who is at the other end of a socket, as the accept loop saw it. It travels in the request's extensions; no header
//! can change it.

use std::net::SocketAddr;

/// The caller's end of an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection came from: the worker's, or that of a proxy in front.
    pub address: SocketAddr,
    /// SHA-256 of the DER of the client certificate the handshake verified (RFC 8705 §3.1, `x5t#S256`), where there was
    /// one.
    pub certificate_thumbprint: Option<[u8; 32]>,
}
