//! UDP: a datagram is a query.

use super::answer::Transport;
use super::query::LARGEST_QUERY;
use super::service::Service;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::sync::Arc;

/// Answers what comes in.
pub fn serve(socket: &UdpSocket, service: &Arc<Service>) -> io::Result<()> {
    // The monitor polls it and wants it non-blocking; here a thread waits.
    socket.set_nonblocking(false)?;
    let socket = Arc::new(socket.try_clone()?);
    // One more byte, so that one which is too long is known by it.
    let mut datagram = vec![0; LARGEST_QUERY + 1];
    loop {
        let (length, client) = match socket.recv_from(&mut datagram) {
            Ok(received) => received,
            // An earlier answer could not be delivered, or memory is short: the client asks again.
            Err(error)
                if [ErrorKind::ConnectionRefused, ErrorKind::Interrupted, ErrorKind::OutOfMemory]
                    .contains(&error.kind()) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        let answering = Arc::clone(&socket);
        service.respond(&datagram[..length], Transport::Udp, None, move |answer| {
            let _ = answering.send_to(answer, client);
        });
    }
}
