//! UDP: a socket of its own towards the container for each client, so that answers find their way back.

use super::client::Target;
use super::spawn;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// A client that nobody answers and that says nothing for so long is gone (Docker's proxy has the same).
const IDLE: Duration = Duration::from_secs(90);
/// Clients at a time: whoever forges senders fills no more than this.
const MOST_CLIENTS: usize = 1024;
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// Forwards datagrams to `target`, and its answers to whom they are for.
pub fn serve(socket: &UdpSocket, target: Target) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    let socket = Arc::new(socket.try_clone()?);
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let (length, client) = match socket.recv_from(&mut datagram) {
            Ok(received) => received,
            // An earlier answer could not be delivered: that client's business.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused || error.kind() == ErrorKind::Interrupted => {
                continue;
            }
            Err(error) => return Err(error),
        };
        // A thread that still answers a client holds the other reference to its socket.
        clients.retain(|_, server| Arc::strong_count(server) > 1);
        let server = match clients.get(&client) {
            Some(server) => Arc::clone(server),
            None if clients.len() >= MOST_CLIENTS => continue,
            None => match answer(&socket, client, target) {
                Ok(server) => {
                    clients.insert(client, Arc::clone(&server));
                    server
                }
                // Out of descriptors or threads: the datagram is lost, as datagrams are.
                Err(_) => continue,
            },
        };
        // The container may refuse it; a client of UDP finds out by the silence.
        let _ = server.send(&datagram[..length]);
    }
}

/// Starts sending the container's answers to a client.
fn answer(socket: &Arc<UdpSocket>, client: SocketAddr, target: Target) -> io::Result<Arc<UdpSocket>> {
    let server = Arc::new(target.socket(client)?);
    server.set_read_timeout(Some(IDLE))?;
    let (socket, answering) = (Arc::clone(socket), Arc::clone(&server));
    spawn(move || {
        let mut datagram = vec![0; DATAGRAM];
        loop {
            match answering.recv(&mut datagram) {
                Ok(length) => {
                    let _ = socket.send_to(&datagram[..length], client);
                }
                // Nothing listens yet.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(server)
}
