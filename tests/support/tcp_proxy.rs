//! A TCP proxy that misbehaves on command: between a vault and its database, or a standby and its primary.

use parking_lot::Mutex;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long bytes are held back that may be the beginning of what is to be rewritten.
const HOLD: Duration = Duration::from_millis(50);

/// A proxy on a free port of loopback. Dropping it closes its connections and its port.
pub(crate) struct TcpProxy {
    port: u16,
    state: Arc<Mutex<State>>,
    running: CancellationToken,
    _ends: DropGuard,
}

struct State {
    upstream: SocketAddr,
    is_cut: bool,
    delay: Duration,
    swallows_upstream: bool,
    swallows_downstream: bool,
    rewrites: Vec<Rewrite>,
    /// Cancelled to close the connections that are open; a child of the proxy's own.
    open: CancellationToken,
    /// How many connections were taken so far.
    accepted: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Rewrite {
    from: Vec<u8>,
    to: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl TcpProxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = CancellationToken::new();
        let state = Arc::new(Mutex::new(State {
            upstream,
            is_cut: false,
            delay: Duration::ZERO,
            swallows_upstream: false,
            swallows_downstream: false,
            rewrites: Vec::new(),
            open: running.child_token(),
            accepted: 0,
        }));
        let accepting = accept(listener, Arc::clone(&state));
        let ended = running.clone();
        tokio::spawn(async move { ended.run_until_cancelled(accepting).await });
        Self { port, state, _ends: running.clone().drop_guard(), running }
    }

    /// Starts a proxy to a port of loopback.
    pub(crate) async fn to_port(port: u16) -> Self {
        Self::start((Ipv4Addr::LOCALHOST, port).into()).await
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Leads new connections to another server; those that are open stay where they are.
    pub(crate) fn point_at(&self, upstream: SocketAddr) {
        self.state.lock().upstream = upstream;
    }

    /// Closes all connections, and each new one at once, until [`Self::restore`].
    pub(crate) fn cut(&self) {
        self.state.lock().is_cut = true;
        self.drop_connections();
    }

    /// Closes the connections that are open; new ones are taken.
    pub(crate) fn drop_connections(&self) {
        let fresh = self.running.child_token();
        std::mem::replace(&mut self.state.lock().open, fresh).cancel();
    }

    /// Passes on each read, both ways, so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().delay = delay;
    }

    /// Loses what clients send from now on. Connections stay open, and what was lost stays lost after
    /// [`Self::restore`], so drop them then.
    pub(crate) fn swallow_upstream(&self) {
        self.state.lock().swallows_upstream = true;
    }

    /// Loses what the server sends from now on, as [`Self::swallow_upstream`] does: the server acts, nobody hears it.
    pub(crate) fn swallow_downstream(&self) {
        self.state.lock().swallows_downstream = true;
    }

    /// Replaces bytes that clients send, of one length, wherever reads split them.
    ///
    /// Bytes that may be a beginning of `from` are held back for a moment, and pass as they are if no more come. What was
    /// asked for earlier stays.
    pub(crate) fn rewrite(&self, from: &[u8], to: &[u8]) {
        assert!(from.len() == to.len() && !from.is_empty(), "another length would break the protocol's framing");
        self.state.lock().rewrites.push(Rewrite { from: from.to_vec(), to: to.to_vec() });
    }

    /// Behaves again: no cut, delay, black hole or rewriting. The upstream stays.
    pub(crate) fn restore(&self) {
        let mut state = self.state.lock();
        state.is_cut = false;
        state.delay = Duration::ZERO;
        (state.swallows_upstream, state.swallows_downstream) = (false, false);
        state.rewrites.clear();
    }

    /// How many connections were taken so far, closed ones included.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().accepted
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let (open, upstream) = {
            let mut state = state.lock();
            state.accepted += 1;
            if state.is_cut {
                continue;
            }
            (state.open.clone(), state.upstream)
        };
        let carried = carry(client, upstream, Arc::clone(&state));
        tokio::spawn(async move { open.run_until_cancelled(carried).await });
    }
}

/// Carries one connection until both sides have ended, one of them breaks, or it is dropped.
async fn carry(client: TcpStream, upstream: SocketAddr, state: Arc<Mutex<State>>) -> io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let up = pump(from_client, to_server, &state, Direction::Up);
    let down = pump(from_server, to_client, &state, Direction::Down);
    tokio::try_join!(up, down).map(drop)
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &Mutex<State>,
    direction: Direction,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut rewriter = Rewriter::default();
    loop {
        let read = match rewriter.held.is_empty() {
            true => Some(from.read(&mut buffer).await?),
            false => tokio::time::timeout(HOLD, from.read(&mut buffer)).await.ok().transpose()?,
        };
        let (swallows, delay, rewrites) = {
            let state = state.lock();
            match direction {
                Direction::Up => (state.swallows_upstream, state.delay, state.rewrites.clone()),
                Direction::Down => (state.swallows_downstream, state.delay, Vec::new()),
            }
        };
        let passed = match read {
            // Nothing more came, or nothing more will.
            None | Some(0) => std::mem::take(&mut rewriter.held),
            Some(length) => rewriter.pass(&buffer[..length], &rewrites),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if swallows && read == Some(0) {
            // The end is lost too: the other side believes that the connection lives.
            return std::future::pending().await;
        }
        if !swallows {
            to.write_all(&passed).await?;
        }
        if read == Some(0) {
            return to.shutdown().await;
        }
    }
}

#[derive(Default)]
struct Rewriter {
    /// The end of what was read, where it may be the beginning of what is to be rewritten.
    held: Vec<u8>,
}

impl Rewriter {
    fn pass(&mut self, read: &[u8], rewrites: &[Rewrite]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(read);
        let mut at = 0;
        let mut behind = 0;
        while at < bytes.len() {
            match rewrites.iter().find(|rewrite| bytes[at..].starts_with(&rewrite.from)) {
                Some(Rewrite { to, .. }) => {
                    bytes[at..at + to.len()].copy_from_slice(to);
                    at += to.len();
                    behind = at;
                }
                None => at += 1,
            }
        }
        // Behind the last replacement: what was put in is never taken for a beginning.
        let is_beginning = |start: &usize| rewrites.iter().any(|rewrite| rewrite.from.starts_with(&bytes[*start..]));
        let held = (behind..bytes.len()).find(is_beginning).unwrap_or(bytes.len());
        self.held = bytes.split_off(held);
        bytes
    }
}
