//! A database server of the suite's own: started by the first test that needs it, stopped by the last.
//!
//! Tests run as processes or as threads; files that the operating system locks for them tell who is there. The data
//! folder stays, so that only the first start of all makes it.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How a kind of server is started and stopped.
pub(crate) trait Program {
    /// The name of its folder.
    const NAME: &'static str;
    /// Makes its data folder.
    fn make(folder: &Path);
    /// Starts it on a port of 127.0.0.1.
    fn start(folder: &Path, port: u16);
    /// Returns whether it answers.
    fn answers(folder: &Path, port: u16) -> bool;
    /// Stops it.
    fn stop(folder: &Path);
}

/// A running server, for as long as this is held.
pub(crate) struct Server {
    folder: PathBuf,
    users: Option<File>,
    pub(crate) port: u16,
    stop: fn(&Path),
}

fn file(path: &Path) -> File {
    File::options().create(true).truncate(false).write(true).read(true).open(path).unwrap()
}

/// Returns a port that nobody uses.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Joins the server, and starts it where nobody has.
    pub(crate) fn join<P: Program>() -> Self {
        // Every checkout has servers of its own; the path is short, because sockets lie in it.
        let checkout = blake3::hash(env!("CARGO_MANIFEST_DIR").as_bytes()).to_hex();
        let checkout: String = checkout.chars().take(8).collect();
        let folder = std::env::temp_dir().join(format!("lockstep-{}-{checkout}", P::NAME));
        fs::create_dir_all(&folder).unwrap();
        let (gate, users) = (file(&folder.join("gate")), file(&folder.join("users")));
        gate.lock().unwrap();
        users.lock_shared().unwrap();
        if !folder.join("made").exists() {
            P::make(&folder);
            fs::write(folder.join("made"), "").unwrap();
        }
        let known = fs::read_to_string(folder.join("port")).ok().and_then(|port| port.parse().ok());
        let port = match known.filter(|port| P::answers(&folder, *port)) {
            Some(port) => port,
            None => {
                let port = free_port();
                P::start(&folder, port);
                let deadline = Instant::now() + Duration::from_secs(60);
                while !P::answers(&folder, port) {
                    assert!(
                        Instant::now() < deadline,
                        "{} does not start, see {folder:?}",
                        P::NAME
                    );
                    std::thread::sleep(Duration::from_millis(50));
                }
                fs::write(folder.join("port"), port.to_string()).unwrap();
                port
            }
        };
        Self { folder, users: Some(users), port, stop: P::stop }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let gate = file(&self.folder.join("gate"));
        gate.lock().unwrap();
        drop(self.users.take());
        if file(&self.folder.join("users")).try_lock().is_ok() {
            (self.stop)(&self.folder);
            let _ = fs::remove_file(self.folder.join("port"));
        }
    }
}

/// Runs a program that must succeed, deaf and mute: a server that stays must not hold the test's pipes.
pub(crate) fn run(command: &mut Command, log: &Path) {
    let log_file = File::options().create(true).append(true).open(log).unwrap();
    let status = command
        .stdin(Stdio::null())
        .stdout(log_file.try_clone().unwrap())
        .stderr(log_file)
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = fs::read_to_string(log).unwrap_or_default();
    assert!(status.success(), "{command:?}: {status}\n{said}");
}

/// Returns a command of a program that runs as `user` where the test runs as root, as servers insist on it.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command
}

/// Returns whether the test runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    })
}

/// Gives a folder to the user that a server runs as.
pub(crate) fn own(user: &str, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    if is_root() {
        let status = Command::new("chown").args(["-R", &format!("{user}:")]).arg(folder).status();
        assert!(status.unwrap().success(), "chown {folder:?}");
    }
}
