//! TCP: one connection to the container for each that comes in, bytes moved inside the kernel.

use super::client::Target;
use super::spawn;
use nix::errno::Errno;
use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a pipe takes at once, bytes (its default capacity).
const PIPE: usize = 64 * 1024;
/// When descriptors or memory have run out, connections wait in the queue of the listener meanwhile.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);

/// Accepts connections and forwards each to `target`.
pub fn serve(listener: &TcpListener, target: Target) -> io::Result<()> {
    // The monitor polls it and wants it non-blocking; here a thread waits.
    listener.set_nonblocking(false)?;
    loop {
        let forwarded = match listener.accept() {
            Ok((client, from)) => spawn(move || forward(client, from, target)).map(drop),
            Err(error) => Err(error),
        };
        match forwarded.map_err(|error| error.raw_os_error().map(Errno::from_raw)) {
            Ok(()) | Err(Some(Errno::EINTR | Errno::ECONNABORTED)) => {}
            Err(Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN)) => {
                thread::sleep(OUT_OF_RESOURCES);
            }
            Err(errno) => return Err(errno.map_or(io::ErrorKind::Other.into(), io::Error::from)),
        }
    }
}

/// A client whose container does not answer sees its connection closed.
fn forward(client: TcpStream, from: SocketAddr, target: Target) {
    if let Ok(server) = target.connect(from) {
        join(client, server);
    }
}

/// Moves bytes both ways until both sides have ended.
pub fn join(client: TcpStream, server: TcpStream) {
    let (client, server) = (Arc::new(client), Arc::new(server));
    let back = {
        let (client, server) = (Arc::clone(&client), Arc::clone(&server));
        spawn(move || copy(&server, &client))
    };
    copy(&client, &server);
    if let Ok(back) = back {
        let _ = back.join();
    }
}

/// Moves bytes one way until `from` ends, and passes the end on. A connection that broke is broken for
/// both sides.
fn copy(from: &TcpStream, to: &TcpStream) {
    if splice_all(from, to).is_ok() {
        let _ = to.shutdown(Shutdown::Write);
    } else {
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

fn splice_all(from: &TcpStream, to: &TcpStream) -> nix::Result<()> {
    // splice(2) moves between a pipe and something else, so a pipe stands between the sockets.
    let (out, into): (OwnedFd, OwnedFd) = pipe2(OFlag::O_CLOEXEC)?;
    loop {
        let mut held = retry(|| splice(from, None, &into, None, PIPE, SpliceFFlags::SPLICE_F_MOVE))?;
        if held == 0 {
            return Ok(());
        }
        while held > 0 {
            held -= retry(|| splice(&out, None, to, None, held, SpliceFFlags::SPLICE_F_MOVE))?;
        }
    }
}

fn retry(mut call: impl FnMut() -> nix::Result<usize>) -> nix::Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
