//! TCP to the outside: a connection of ours for each of a container's.

use super::destination::Wanted;
use super::shares::Shares;
use super::spawn;
use crate::runtime::network::proxy::join;
use crate::sys::transparent::original_destination;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How long the outside may take to answer, as browsers wait.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection on which nothing goes for so many seconds is asked whether it lives.
const QUIET: u32 = 300;
/// When descriptors or memory have run out, connections wait in the queue of the listener meanwhile.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);

/// Accepts connections and forwards each to where it was to go. `redirected`: the packet filter has changed where.
pub fn serve(listener: &TcpListener, to: Wanted, redirected: bool, mut shares: Shares) {
    let own = listener.local_addr().map(|address| address.port()).unwrap_or_default();
    loop {
        let accepted = listener.accept().and_then(|(client, from)| {
            let wanted = if redirected { original_destination(&client) } else { client.local_addr() };
            // Who comes to our port itself was not on its way out.
            let wanted = wanted.ok().filter(|wanted| !redirected || wanted.port() != own);
            let Some(wanted) = wanted.and_then(|wanted| to.resolve(wanted)) else { return reset(&client) };
            let Some(pass) = shares.enter(from.ip()) else { return reset(&client) };
            spawn(move || {
                let _pass = pass;
                forward(client, wanted);
            })
            .map(drop)
        });
        match accepted.map_err(|error| error.raw_os_error().map(Errno::from_raw)) {
            Ok(()) | Err(Some(Errno::EINTR | Errno::ECONNABORTED)) => {}
            Err(_) => thread::sleep(OUT_OF_RESOURCES),
        }
    }
}

fn forward(client: TcpStream, wanted: SocketAddr) {
    match TcpStream::connect_timeout(&wanted, CONNECT_TIMEOUT) {
        Ok(server) => {
            for side in [&client, &server] {
                let _ = setsockopt(side, sockopt::KeepAlive, &true);
                let _ = setsockopt(side, sockopt::TcpKeepIdle, &QUIET);
            }
            join(client, server);
        }
        Err(_) => drop(reset(&client)),
    }
}

/// Has the end of a connection be seen as a failure.
fn reset(client: &TcpStream) -> io::Result<()> {
    Ok(setsockopt(client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?)
}
