//! A person's SSH agent for a step of a build: `RUN --mount=type=ssh`.

use super::secrets::{SecretFolder, give};
use crate::error::{Error, IoContext, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, PipeReader, PipeWriter};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// So many programs of a step may talk to the agent at once: more wait.
const MOST_CONNECTIONS: usize = 32;

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAgent {
    /// Its socket: what `SSH_AUTH_SOCK` says.
    pub socket: PathBuf,
}

impl SshAgent {
    /// Checks that there is a socket.
    ///
    /// # Errors
    /// `not_found`, or `invalid` when it is something else.
    pub fn new(socket: &Path) -> Result<Self> {
        let found = socket.metadata().doing(|| format!("cannot use the SSH agent at `{}`", socket.display()));
        let found = found.map_err(|error| error.hint("start one: `eval $(ssh-agent)`"))?;
        if !found.file_type().is_socket() {
            return Err(Error::invalid(format!("`{}` is no socket of an SSH agent", socket.display()))
                .hint("give it what `echo $SSH_AUTH_SOCK` prints"));
        }
        Ok(Self { socket: socket.to_owned() })
    }
}

/// A socket for a step, whose connections go to the agent as long as this is held.
#[derive(Debug)]
pub struct SshProxy {
    path: PathBuf,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl SshProxy {
    /// Listens in a folder, with this mode and owner: the agent's own socket is its owner's alone.
    pub fn start(folder: &SecretFolder, agent: &SshAgent, mode: u32, uid: u32, gid: u32) -> Result<Self> {
        let path = folder.next_path("ssh")?;
        let doing = || format!("cannot listen on `{}`", path.display());
        let listener = UnixListener::bind(&path).doing(doing)?;
        give(&path, mode, uid, gid).doing(doing)?;
        let (stopped, stop) = io::pipe().doing(doing)?;
        let agent = agent.clone();
        let thread = std::thread::Builder::new().name("ssh-agent".into());
        let thread = thread.spawn(move || serve(&listener, &agent, &stopped)).doing(doing)?;
        Ok(Self { path, stop: Some(stop), thread: Some(thread) })
    }

    /// The socket: to be bound at `/run/buildkit/ssh_agent.N`.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SshProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A thread that panicked serves nobody.
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A program of the step that talks to the agent.
struct Connection {
    ends: [UnixStream; 2],
    threads: Vec<JoinHandle<()>>,
}

/// Until nobody holds the other end of `stopped`.
fn serve(listener: &UnixListener, agent: &SshAgent, stopped: &PipeReader) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let mut fds = [listener.as_fd(), stopped.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        if poll(&mut fds, PollTimeout::NONE).is_err_and(|errno| errno != nix::errno::Errno::EINTR)
            || fds[1].any() == Some(true)
        {
            return;
        }
        if fds[0].any() != Some(true) {
            continue;
        }
        connections.retain(|connection| !connection.threads.iter().all(JoinHandle::is_finished));
        let Ok((client, _)) = listener.accept() else { continue };
        if connections.len() < MOST_CONNECTIONS {
            // Without an agent the program sees a connection that ends.
            connections.extend(UnixStream::connect(&agent.socket).and_then(|agent| join(client, agent)));
        }
    }
}

/// Copies both ways, each in a thread of its own.
fn join(client: UnixStream, agent: UnixStream) -> io::Result<Connection> {
    let copy = |from: &UnixStream, to: &UnixStream| {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        std::thread::Builder::new().name("ssh-agent".into()).spawn(move || {
            // Whichever end fails, the other one sees an end.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    let mut connection = Connection { threads: Vec::new(), ends: [client, agent] };
    let [client, agent] = &connection.ends;
    for (from, to) in [(client, agent), (agent, client)] {
        connection.threads.push(copy(from, to)?);
    }
    Ok(connection)
}

impl Drop for Connection {
    fn drop(&mut self) {
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::store::Store;
    use std::io::{Read, Write};
    use std::os::unix::fs::MetadataExt;

    /// Answers everything it gets, reversed, at the end of each connection.
    fn agent(path: &Path) {
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut text = Vec::new();
                stream.read_to_end(&mut text).unwrap();
                text.reverse();
                let _ = stream.write_all(&text);
            }
        });
    }

    #[test]
    fn programs_talk_to_the_agent_until_the_step_ends() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("root")).unwrap();
        let socket = dir.path().join("agent");
        agent(&socket);
        let folder = SecretFolder::make(&store).unwrap();
        let proxy = SshProxy::start(&folder, &SshAgent::new(&socket).unwrap(), 0o600, 1000, 1001).unwrap();
        let found = std::fs::metadata(proxy.path()).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o600, 1000, 1001));
        for text in ["one", "another"] {
            let mut client = UnixStream::connect(proxy.path()).unwrap();
            client.write_all(text.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer.chars().rev().collect::<String>(), text);
        }
        let mut open = UnixStream::connect(proxy.path()).unwrap();
        let path = proxy.path().to_owned();
        drop(proxy);
        // An end, or a reset when it was not even taken.
        assert!(!open.read(&mut [0]).is_ok_and(|read| read > 0));
        assert!(!path.exists());
        drop(folder);
        std::fs::remove_dir_all(store.run_dir()).unwrap();
    }

    #[test]
    fn an_agent_is_a_socket() {
        let error = SshAgent::new(Path::new("/no/such/socket")).unwrap_err();
        assert!(error.is(ErrorKind::NotFound) && error.hint_text().is_some());
        assert!(SshAgent::new(Path::new("/etc/passwd")).unwrap_err().is(ErrorKind::Invalid));
    }
}
