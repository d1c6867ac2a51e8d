//! A connection upstream that writes only while the node's lease holds.
//!
//! The check stands at the socket, below TLS and HTTP, because what those have buffered goes out by itself: a node that
//! was frozen while somebody revoked would send it on waking, before any task of ours runs.

use crate::fleet::{NodeLease, Stint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A TCP stream bound to the stint of the node's lease in which it was made. Once that has ended it never writes again,
/// renewed or not.
#[derive(Debug)]
pub(super) struct LeasedStream {
    tcp: TcpStream,
    lease: NodeLease,
    stint: Stint,
    /// An idle connection of a stint that is over leaves its pool by this, instead of failing whoever takes it next.
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl LeasedStream {
    /// Binds a stream to a stint, as [`NodeLease::enter`] returned it.
    pub(super) fn new(tcp: TcpStream, lease: NodeLease, (stint, over): (Stint, CancellationToken)) -> Self {
        Self { tcp, lease, stint, over: Box::pin(over.cancelled_owned()) }
    }

    fn check(&self) -> io::Result<()> {
        if self.lease.holds(self.stint) {
            return Ok(());
        }
        metrics::counter!("leasehold_writes_withheld_total").increment(1);
        Err(io::Error::new(io::ErrorKind::BrokenPipe, "the node's lease ended: nothing more goes out"))
    }
}

impl AsyncRead for LeasedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.tcp).poll_read(context, into);
        if read.is_pending() && self.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        read
    }
}

impl AsyncWrite for LeasedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

impl hyper_util::client::legacy::connect::Connection for LeasedStream {
    fn connected(&self) -> hyper_util::client::legacy::connect::Connected {
        self.tcp.connected()
    }
}
