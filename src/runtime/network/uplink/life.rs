//! The uplink's life: it makes the home, or takes it over, serves, and ends when nobody needs it.

use super::destination::Wanted;
use super::rules::{self, Served, Sockets};
use super::shares::Shares;
use super::start::READY;
use super::udp::{self, Maker};
use super::{pasta, spawn, tcp};
use crate::error::{Error, IoContext, Result};
use crate::privilege;
use crate::runtime::cgroup;
use crate::runtime::network::gate::Gate;
use crate::runtime::network::home::{self, Home};
use crate::runtime::network::way_out::{self, Way, WayKind};
use crate::sys::close_range::close_on_exec_from;
use crate::sys::lock;
use crate::sys::netns;
use crate::sys::record_lock::{self, RecordLock};
use crate::sys::transparent;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stdout, setsid};
use std::fs::{self, File};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Connections and flows at a time, and the descriptors that one needs: two sockets, and two pipes.
const MOST: usize = 2048;
const DESCRIPTORS: usize = 6;
/// What else is open.
const OTHERS: usize = 64;

/// The role's whole life; returns the exit code.
pub fn run() -> i32 {
    let base = PathBuf::from(std::env::args_os().nth(1).unwrap_or_default());
    match born(&base) {
        Ok(Some(lock)) => {
            say(READY);
            live(&base, lock)
        }
        Ok(None) => {
            say(READY);
            0
        }
        Err(error) => {
            pasta::stop(&base);
            say(&error.message());
            1
        }
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    // Who started it waits for the end of what it says.
    let _ = File::open("/dev/null").map(dup2_stdout);
}

/// Returns when nobody needs the home any more, who comes now being kept waiting until this process has ended.
fn live(base: &Path, lock: RecordLock) -> i32 {
    let alone = home::members(base).ok().and_then(|file| Flock::lock(file, FlockArg::LockExclusive).ok());
    pasta::stop(base);
    // Before the other one: who gets that finds no uplink.
    drop(lock);
    i32::from(alone.is_none())
}

/// Sets the home up; `None` when another process has, whose starter was killed before it said so.
fn born(base: &Path) -> Result<Option<RecordLock>> {
    let doing = || "cannot set the uplink up";
    close_on_exec_from(3).doing(doing)?;
    let _making = home::hold_making(base)?;
    if record_lock::holder(&base.join(home::UPLINK))?.is_some() {
        return Ok(None);
    }
    setsid().doing(doing)?;
    prctl::set_name(c"shanty-uplink").doing(doing)?;
    umask(Mode::from_bits_truncate(0o077));
    let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    privilege::stay()?;
    // Those that serve are started before this thread moves, and stay in the machine's namespace.
    let serve = wait_for_sockets()?;
    let leaving = leave_callers_groups()?;
    let pasta =
        way_out::pasta_is_usable().and_then(|()| pasta::Launcher::here(base, leaving).map_err(|error| error.message()));
    match Home::read(base).and_then(|home| left_home(base, home.namespace)) {
        Some(left) => netns::enter(left.as_fd())?,
        None => netns::unshare_thread().map(drop)?,
    }
    rules::prepare()?;
    let pasta = pasta.and_then(|pasta| pasta.start(base).map_err(|error| error.message()));
    let (machine, kind) = open_sockets(&serve, Wanted::Machine)?;
    let outside = if pasta.is_ok() { None } else { Some(open_sockets(&serve, Wanted::Outside)?.0) };
    let installed = rules::install(Served { outside, machine });
    let way = match (pasta, installed) {
        (Ok(way), _) => way,
        (Err(reason), Ok(())) => Way { kind, reason },
        // Containers reach each other still, and published ports are served.
        (Err(reason), Err(error)) => Way { kind: WayKind::Nothing, reason: format!("{reason}; {}", error.message()) },
    };
    // Not before: who sees it takes the namespace of this process for the home.
    let lock = RecordLock::try_take(&base.join(home::UPLINK))?
        .ok_or_else(|| Error::conflict("another process joins your networks with the outside already"))?;
    let namespace = fs::metadata("/proc/self/ns/net").doing(doing)?.ino();
    Home { namespace, way }.write(base)?;
    Ok(Some(lock))
}

/// Starts a thread that takes this process out of the control groups of whoever needed it first: it is not to end with them.
/// Nobody waits for it but who starts processes that are to be there as well.
fn leave_callers_groups() -> Result<JoinHandle<()>> {
    // It works where it is, too.
    spawn(|| drop(cgroup::leave("networks"))).doing(|| "cannot start a thread")
}

/// The home of an uplink that was killed, which its members keep open.
fn left_home(base: &Path, namespace: u64) -> Option<File> {
    let name = format!("net:[{namespace}]");
    let of = |pid: i32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let mut ours = descriptors.filter(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == &*name));
        ours.find_map(|fd| File::open(fd.path()).ok())
    };
    lock::sharers(&base.join(home::MEMBERS)).into_iter().find_map(of)
}

/// What is made in the home, and served from outside of it.
enum Socket {
    Tcp(TcpListener, bool),
    Udp(UdpSocket, Maker),
}

/// Starts a thread that starts one for each socket that it is given.
fn wait_for_sockets() -> Result<Sender<(Socket, Wanted)>> {
    let (sender, sockets) = channel();
    let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft as usize);
    let most = (most.saturating_sub(OTHERS) / DESCRIPTORS).clamp(2, MOST) / 2;
    let (connections, flows) = (Gate::new(most), Gate::new(most));
    let work = move || {
        for (socket, to) in sockets {
            let (connections, flows) = (Shares::of(&connections, most), Shares::of(&flows, most));
            let _ = match socket {
                Socket::Tcp(listener, redirected) => spawn(move || tcp::serve(&listener, to, redirected, connections)),
                Socket::Udp(socket, maker) => spawn(move || udp::serve(&socket, to, &maker, flows)),
            };
        }
    };
    spawn(work).doing(|| "cannot start a thread")?;
    Ok(sender)
}

/// Makes the sockets of what is for some destination, and has them served.
fn open_sockets(serve: &Sender<(Socket, Wanted)>, to: Wanted) -> Result<(Sockets, WayKind)> {
    let doing = || "cannot make the sockets of the way out";
    let hand_over = |socket| serve.send((socket, to)).map_err(|_| Error::invalid("the thread that serves has ended"));
    let is_transparent = !way_out::is_without_proxy() && rules::can_proxy();
    let (mut tcp_ports, mut udp_ports) = ([0; 2], [0; 2]);
    let addresses: [IpAddr; 2] = if is_transparent {
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
    };
    let maker = Maker::here().doing(doing)?;
    for (index, ip) in addresses.into_iter().enumerate() {
        let address = SocketAddr::new(ip, 0);
        let tcp = match transparent::listen_at(address) {
            // A kernel may have no IPv6.
            Err(_) if index == 1 => break,
            tcp => tcp.doing(doing)?,
        };
        tcp_ports[index] = tcp.local_addr().doing(doing)?.port();
        hand_over(Socket::Tcp(tcp, !is_transparent))?;
        if is_transparent {
            let udp = transparent::receive_at(address).doing(doing)?;
            udp_ports[index] = udp.local_addr().doing(doing)?.port();
            hand_over(Socket::Udp(udp, maker.clone()))?;
        }
    }
    Ok(if is_transparent {
        (Sockets::Both(tcp_ports, udp_ports), WayKind::Forwarding)
    } else {
        (Sockets::Connections(tcp_ports), WayKind::Connections)
    })
}
