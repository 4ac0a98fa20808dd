//! Places elsewhere that backups go to: a bucket of `moto_server`, another host's `sshd`, and a line to them that breaks.

use super::fixtures::{Missing, program};
use super::wait::wait_until;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A server that speaks S3, with the bucket `backups`; gone when dropped.
pub struct S3 {
    process: Child,
    /// Its port on loopback.
    pub port: u16,
}

impl S3 {
    pub fn start() -> Result<Self, Missing> {
        let (program, port) = (program("moto_server")?, free_port());
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        wait_until(LIMIT, || answers(port));
        assert!(server.ask("PUT", "/backups").contains("200 OK"));
        Ok(server)
    }

    /// The options that lead to it, over a port.
    pub fn options(&self, port: u16) -> String {
        format!(r#"endpoint: "http://127.0.0.1:{port}", access_key: "key", secret_key: "secret""#)
    }

    /// Uploads in parts that were begun, and neither completed nor aborted.
    pub fn unfinished(&self) -> usize {
        self.ask("GET", "/backups?uploads").matches("<UploadId>").count()
    }

    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that refuses everything in the words of S3.
pub fn refusing_s3(code: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 65536]);
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let answer =
                format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = client.write_all(answer.as_bytes());
        }
    });
    port
}

/// Another host, which lets in whoever has its key; gone when dropped.
pub struct Ssh {
    process: Child,
    folder: TempDir,
    /// Its port on loopback.
    pub port: u16,
}

impl Ssh {
    pub fn start() -> Result<Self, Missing> {
        let (sshd, keygen) = (program("sshd")?, program("ssh-keygen")?);
        program("ssh")?;
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new(&keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key)).status();
            assert!(made.unwrap().success());
        }
        fs::rename(path("user.pub"), path("authorized")).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            folder.path().display()
        );
        fs::write(path("sshd_config"), configuration).unwrap();
        let process = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(LIMIT, || answers(port));
        fs::create_dir(path("backups of all")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Ok(Self { process, folder, port })
    }

    /// The folder for backups; its name has blanks.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("backups of all")
    }

    /// The same as a URL, over a port.
    pub fn url(&self, port: u16) -> String {
        format!("ssh://127.0.0.1:{port}{}", self.folder().display()).replace(' ', "%20")
    }

    /// The options that lead to it.
    pub fn options(&self) -> String {
        let key = self.folder.path().join("user");
        format!(
            r#"ssh_args: ["-F", "none", "-i", "{}", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]"#,
            key.display()
        )
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line to a server that breaks every connection which has sent more than it carries.
pub struct Line {
    /// Its port on loopback.
    pub port: u16,
    broken: Arc<AtomicU64>,
}

impl Line {
    pub fn to(port: u16, carries: u64) -> Self {
        Self::made(port, carries, false)
    }

    /// One that carries nothing more instead, and breaks no connection.
    pub fn stalling(port: u16, carries: u64) -> Self {
        Self::made(port, carries, true)
    }

    fn made(port: u16, carries: u64, stalls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (own, broken) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let count = broken.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
                let (back, to) = ((server.try_clone().unwrap(), client.try_clone().unwrap()), count.clone());
                std::thread::spawn(move || copy(back.0, back.1, u64::MAX, false));
                std::thread::spawn(move || {
                    if !copy(client, server, carries, stalls) {
                        to.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { port: own, broken }
    }

    /// How many connections it has broken.
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::SeqCst)
    }
}

/// Copies until the end, or until it is too much; says which.
fn copy(mut from: TcpStream, mut to: TcpStream, mut carries: u64, stalls: bool) -> bool {
    let mut buffer = [0; 16384];
    let whole = loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break true,
            Ok(length) if length as u64 > carries && stalls => std::thread::park(),
            Ok(length) if length as u64 > carries => break false,
            Ok(length) => {
                carries -= length as u64;
                if to.write_all(&buffer[..length]).is_err() {
                    break true;
                }
            }
        }
    };
    let how = if whole { Shutdown::Write } else { Shutdown::Both };
    let _ = to.shutdown(how);
    if !whole {
        let _ = from.shutdown(Shutdown::Both);
    }
    whole
}
