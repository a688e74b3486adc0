//! Folders of a machine that is reached by SSH: a real sshd on a port of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::json;

use super::{Desk, STOCK};
use crate::support::require::require;

/// An SSH server that lets one key in, to a folder of its own.
struct Ssh {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

fn quiet(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

impl Ssh {
    /// Starts the server; `None` to skip.
    fn start() -> Option<Self> {
        let sshd = Path::new("/usr/sbin/sshd");
        if !require("the Debian package openssh-server", sshd) {
            return None;
        }
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for key in ["host", "key"] {
            let mut command = Command::new("ssh-keygen");
            quiet(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(key)));
        }
        std::fs::copy(at("key.pub"), at("authorized")).unwrap();
        std::fs::create_dir(at("team")).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n",
            at("host").display(),
            at("authorized").display()
        );
        std::fs::write(at("config"), config).unwrap();
        // sshd wants this folder of the system's; only root can make it, and has it where the package is installed.
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-f").arg(at("config"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { child, folder, port });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("sshd does not answer");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("team").join(name)
    }

    fn connection(&self) -> String {
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout);
        format!(
            "kind = \"sftp\"\nendpoint = \"ssh://127.0.0.1:{}\"\nuser = \"{}\"\nkey = \"{}\"\nroot = \"{}\"\n\
             knownHosts = \"add\"\nwritable = true",
            self.port,
            user.unwrap().trim(),
            self.folder.path().join("key").display(),
            self.folder.path().join("team").display()
        )
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_over_ssh_and_a_sheet_are_kept_in_step() {
    let Some(ssh) = Ssh::start() else { return };
    std::fs::write(ssh.file("stock.csv"), STOCK).unwrap();
    // What a writer that died had put aside.
    std::fs::write(ssh.file(".stock.csv.lockstep-dead"), "half").unwrap();
    let desk = Desk::new(&ssh.connection(), "stock.csv").await;
    assert_eq!(desk.sync().await["state"], "applied");
    assert_eq!(desk.lines().await.join("\n") + "\n", STOCK);
    desk.set("B2", json!("Apfel")).await;
    std::fs::write(ssh.file("stock.csv"), STOCK.replace("20", "21")).unwrap();
    let report = desk.sync().await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let note = Desk::side(&report)["note"].as_str().unwrap();
    assert!(note.contains("an SFTP server cannot guard a write"), "{report:#}");
    let both = "sku,name,qty\nA,Apfel,10\nB,Beet,21\n";
    assert_eq!(std::fs::read_to_string(ssh.file("stock.csv")).unwrap(), both);
    assert_eq!(desk.lines().await.join("\n") + "\n", both);
    assert_eq!(desk.sync().await["state"], "inStep");
    let aside = ssh.file(&format!(".stock.csv.lockstep-{}", report["runId"].as_str().unwrap()));
    assert!(!aside.exists());
    std::fs::write(ssh.folder.path().join("secret.csv"), STOCK).unwrap();
    let mut ask = desk.arguments();
    (ask["name"], ask["left"]["file"]) = (json!("out"), json!("../secret.csv"));
    let error = desk.house.err("syncDataset", ask).await;
    assert!(error.contains("outside the folder"), "{error}");
}
