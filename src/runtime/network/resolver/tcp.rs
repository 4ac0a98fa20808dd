//! TCP: queries with their lengths before them, answered as soon as each can be, in any order (RFC 7766).

use super::answer::Transport;
use super::query::LARGEST_QUERY;
use super::service::Service;
use super::spawn;
use crate::runtime::network::gate::Gate;
use nix::errno::Errno;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Connections at a time, a thread each. Clients have one, and few use TCP at all.
const MOST_CONNECTIONS: usize = 64;
/// Queries of one connection that others are asked at once.
const MOST_FORWARDED: usize = 16;
/// How long a connection may say nothing, and how long a query may take to come in.
const IDLE: Duration = Duration::from_secs(10);
/// How long a client may not read its answers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// When descriptors or memory have run out, connections wait in the queue of the listener meanwhile.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);

/// Accepts connections and answers what comes in.
pub fn serve(listener: &TcpListener, service: &Arc<Service>) -> io::Result<()> {
    // The monitor polls it and wants it non-blocking; here a thread waits.
    listener.set_nonblocking(false)?;
    let connections = Gate::new(MOST_CONNECTIONS);
    loop {
        let accepted = match listener.accept() {
            // One too many is closed.
            Ok((client, _)) => connections.enter().map_or(Ok(()), |pass| {
                let service = Arc::clone(service);
                spawn(move || {
                    let _pass = pass;
                    let _ = converse(&client, &service);
                })
                .map(drop)
            }),
            Err(error) => Err(error),
        };
        match accepted.map_err(|error| error.raw_os_error().map(Errno::from_raw)) {
            Ok(()) | Err(Some(Errno::EINTR | Errno::ECONNABORTED)) => {}
            Err(Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN)) => {
                thread::sleep(OUT_OF_RESOURCES);
            }
            Err(errno) => return Err(errno.map_or(io::ErrorKind::Other.into(), io::Error::from)),
        }
    }
}

/// Answers the queries of one connection until it ends, or has said nothing for a while and waits for nothing.
fn converse(client: &TcpStream, service: &Arc<Service>) -> io::Result<()> {
    client.set_write_timeout(Some(WRITE_TIMEOUT))?;
    client.set_nodelay(true)?;
    let writer = Arc::new(Mutex::new(client.try_clone()?));
    let forwarded = Gate::new(MOST_FORWARDED);
    loop {
        let length = match read_exact(client, 2, &|| forwarded.is_empty())? {
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
            None => return Ok(()),
        };
        // What follows such a length cannot be found again.
        if length > LARGEST_QUERY {
            return Ok(());
        }
        let Some(packet) = read_exact(client, length, &|| true)? else { return Ok(()) };
        let writer = Arc::clone(&writer);
        service.respond(&packet, Transport::Tcp, Some(&forwarded), move |answer| {
            let mut message = (answer.len() as u16).to_be_bytes().to_vec();
            message.extend(answer);
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            if writer.write_all(&message).is_err() {
                // A part of an answer may be out: nothing can follow it.
                let _ = writer.shutdown(std::net::Shutdown::Both);
            }
        });
    }
}

/// Reads so many bytes; `None` when the client has ended before the first. `may_end` says, each time that nothing came
/// for as long as a connection may be idle, whether that ends it.
fn read_exact(mut client: &TcpStream, length: usize, may_end: &dyn Fn() -> bool) -> io::Result<Option<Vec<u8>>> {
    let mut text = vec![0; length];
    let mut read = 0;
    let mut end = Instant::now() + IDLE;
    while read < length {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            if read > 0 || may_end() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            end = Instant::now() + IDLE;
            continue;
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut text[read..]) {
            Ok(0) if read == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => {
                if read == 0 {
                    end = Instant::now() + IDLE;
                }
                read += more;
            }
            Err(error)
                if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted]
                    .contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(text))
}
