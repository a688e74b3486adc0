//! A way to a database server that can be cut at the worst moment.

use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// When the way is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    Never,
    /// At the commit of the next batch, before the server hears of it.
    BeforeCommit,
    /// At that commit, when the server has done it and before the client hears of it.
    AfterCommit,
    /// Like that, and no connection is let through afterwards.
    AfterCommitForGood,
    /// Before the server hears of it, and no connection is let through afterwards.
    BeforeCommitForGood,
    /// No connection is let through.
    Closed,
    /// At any message of the client with this probability, half of those after the server had it.
    Anywhere(f64),
}

/// A proxy on a port of its own.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    cut: Cut,
    random: StdRng,
    cuts: u32,
    /// Commits since the cut was chosen: the first is of the old markers' removal, the second of a batch.
    commits: u32,
}

impl Proxy {
    /// Starts a proxy before a port of this machine.
    pub(crate) async fn to(port: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State {
            cut: Cut::Never,
            random: StdRng::seed_from_u64(seed),
            cuts: 0,
            commits: 0,
        }));
        let proxy = Self { port: listener.local_addr().unwrap().port(), state };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if serving.get() != Cut::Closed {
                    tokio::spawn(serving.clone().serve(client, port));
                }
            }
        });
        proxy
    }

    pub(crate) fn set(&self, cut: Cut) {
        let mut state = self.state.lock().unwrap();
        (state.cut, state.commits) = (cut, 0);
    }

    fn get(&self) -> Cut {
        self.state.lock().unwrap().cut
    }

    /// Returns how often the way was cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.state.lock().unwrap().cuts
    }

    /// Decides about a message of the client: whether to cut, and whether the server still gets it.
    fn decide(&self, message: &[u8]) -> Option<bool> {
        let mut state = self.state.lock().unwrap();
        // PostgreSQL's messages end with a zero; READ COMMITTED is no commit.
        let commits =
            message.ends_with(b"COMMIT") || message.windows(7).any(|word| word == b"COMMIT\0");
        state.commits += u32::from(commits);
        let commit = state.commits == 2;
        let when = state.cut;
        let cut = match when {
            Cut::BeforeCommit if commit => Some((Cut::Never, false)),
            Cut::AfterCommit if commit => Some((Cut::Never, true)),
            Cut::AfterCommitForGood if commit => Some((Cut::Closed, true)),
            Cut::BeforeCommitForGood if commit => Some((Cut::Closed, false)),
            // Connections that a pool still holds are cut at their next message.
            Cut::Closed => Some((Cut::Closed, false)),
            Cut::Anywhere(probability) if state.random.random_range(0.0..1.0) < probability => {
                Some((Cut::Anywhere(probability), state.random.random_range(0..2) == 0))
            }
            _ => None,
        };
        let (next, forward) = cut?;
        state.cut = next;
        state.cuts += 1;
        Some(forward)
    }

    async fn serve(self, client: TcpStream, port: u16) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let cutting = std::sync::atomic::AtomicBool::new(false);
        let forward = async {
            let mut room = vec![0; 64 * 1024];
            loop {
                let Ok(length @ 1..) = from_client.read(&mut room).await else { return };
                let message = &room[..length];
                match self.decide(message) {
                    None => {
                        if to_server.write_all(message).await.is_err() {
                            return;
                        }
                    }
                    Some(true) => {
                        cutting.store(true, std::sync::atomic::Ordering::SeqCst);
                        let _ = to_server.write_all(message).await;
                        // The server's answer would be on its way: it has done what it was told.
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        return;
                    }
                    Some(false) => return,
                }
            }
        };
        let back = async {
            let mut room = vec![0; 64 * 1024];
            loop {
                let Ok(length @ 1..) = from_server.read(&mut room).await else { return };
                // While a commit is to be lost, its answer is.
                if cutting.load(std::sync::atomic::Ordering::SeqCst) {
                    continue;
                }
                if to_client.write_all(&room[..length]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! { () = forward => {}, () = back => {} }
    }
}
