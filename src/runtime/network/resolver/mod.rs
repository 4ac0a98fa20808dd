//! Answers what the containers of a network call each other, and asks the host's servers for everything else.
//!
//! The sockets are made inside the container's network namespace and held by its monitor, which watches them. At the
//! first query it starts one process for them, in the host's network namespace: so what is forwarded goes the host's
//! way, to servers on its loopback too. The process parses what a hostile container sends, so it has no capabilities,
//! and everything that it does for a client is bounded.
//!
//! What the containers are called is in a file per network ([`names`]), which everyone who starts or stops a container
//! replaces as a whole; a look at the file before each answer costs a microsecond.

mod answer;
mod book;
mod directory;
mod forward;
pub mod names;
mod plan;
mod query;
mod replaced;
mod rights;
mod service;
mod tcp;
mod udp;
mod upstream;
mod zone;

pub use answer::{Transport, Verdict, answer};
pub use directory::Directory;
pub use plan::{ResolverNetwork, ResolverPlan};
pub use upstream::Upstream;
pub use zone::Zone;

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::close_range::close_all_but;
use crate::sys::fork::fork_single_threaded;
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::unistd::Pid;
use service::Service;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

/// Where containers look names up, as with Docker.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Where the host says which servers it asks.
pub const HOST_RESOLV_CONF: &str = "/etc/resolv.conf";

/// Stacks of the threads, bytes: their buffers are on the heap.
const STACK: usize = 128 * 1024;
/// A random port for both protocols may be taken for the second one; so often in a row it is not.
const MOST_PORTS: usize = 32;

/// Binds UDP and TCP on [`ADDRESS`] in this thread's network namespace, where loopback has to be up: non-blocking and
/// close-on-exec. `port` 0 is a random one, the same for both. Gives the port as well.
pub fn bind(port: u16) -> Result<(Vec<OwnedFd>, u16)> {
    let mut last = None;
    for _ in 0..if port == 0 { MOST_PORTS } else { 1 } {
        match bind_both(port) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(error).doing(|| format!("cannot listen on {ADDRESS}")),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into())).doing(|| format!("cannot listen on {ADDRESS}"))
}

fn bind_both(port: u16) -> io::Result<(Vec<OwnedFd>, u16)> {
    let udp = UdpSocket::bind((ADDRESS, port))?;
    let port = udp.local_addr()?.port();
    let tcp = TcpListener::bind((ADDRESS, port))?;
    udp.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    Ok((vec![udp.into(), tcp.into()], port))
}

/// Starts a child process that serves the sockets of [`bind`] by the plan in a file, until this process ends or it is
/// killed. The caller reaps it, stops watching the sockets while it lives, and starts another when it has died.
///
/// # Errors
/// `unsupported` in a process with several threads.
pub fn start(plan: &Path, sockets: &[BorrowedFd<'_>]) -> Result<Pid> {
    fork_single_threaded(|| {
        // The monitor's other descriptors are its own: whoever waits for the end of its connection to the monitor
        // would wait for this process too.
        let keep: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        let ended = close_all_but(&keep)
            .doing(|| "cannot close descriptors")
            .and_then(|()| rights::give_up())
            .and_then(|()| serve(plan, Path::new(HOST_RESOLV_CONF), sockets));
        i32::from(ended.is_err())
    })
}

/// Answers what comes in on `sockets`, by the plan in a file and, for everything else, by the servers that
/// `resolv_conf` names. Blocks until one of the sockets fails.
pub fn serve(plan: &Path, resolv_conf: &Path, sockets: &[BorrowedFd<'_>]) -> Result<()> {
    let service = Arc::new(Service::new(plan, resolv_conf));
    let (ended, first) = mpsc::channel();
    for socket in sockets {
        let kind = getsockopt(socket, sockopt::SockType).doing(|| "cannot look at a socket")?;
        let socket = socket.try_clone_to_owned().doing(|| "cannot copy the socket of the resolver")?;
        let (service, ended) = (Arc::clone(&service), ended.clone());
        spawn(move || {
            // Whoever starts this process starts another when one of the two is gone.
            let result = catch_unwind(AssertUnwindSafe(|| match kind {
                SockType::Datagram => udp::serve(&UdpSocket::from(socket), &service),
                _ => tcp::serve(&TcpListener::from(socket), &service),
            }));
            let _ = ended.send(result.unwrap_or_else(|_| Err(io::Error::other("the resolver panicked"))));
        })
        .doing(|| "cannot start a thread")?;
    }
    drop(ended);
    first.recv().map_err(|_| Error::new(ErrorKind::Io, "the resolver has no sockets"))?.doing(|| "cannot serve names")
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}
