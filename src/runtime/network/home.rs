//! Where the host's side of networks is: bridges, the host's ends of links, the packet filter.
//!
//! For root it is the machine's own network namespace. Everybody else has one namespace for all of its networks, the
//! home, which the uplink ([`super::uplink`]) makes and joins with the outside. Who needs it is a member: it holds a lock
//! shared and the namespace open. So the home outlives an uplink that is killed, and the next one takes it over.
//!
//! The machine's namespace cannot be entered again by who has left it, so work in the home is done by threads that end.

use super::uplink;
use super::way_out::Way;
use crate::context::CancelToken;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::privilege::{self, Privilege};
use crate::sys::elsewhere;
use crate::sys::lock::{self, FileLock, LockMode};
use crate::sys::netlink::RouteSocket;
use crate::sys::netns;
use crate::sys::record_lock;
use nix::net::if_::if_indextoname;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whoever needs the home holds it shared; the uplink that gets it exclusively ends.
pub(super) const MEMBERS: &str = "network.members";
/// Held by an uplink that makes the home.
const MAKING: &str = "network.making";
/// Held by the uplink while it lives.
pub(super) const UPLINK: &str = "network.uplink";
/// What the names of the links of all roots start with.
pub(super) const LINKS: &str = "sh";
/// [`Home`], as text.
const ABOUT: &str = "network.json";
/// An uplink that ends lets go within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the uplink writes down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Home {
    /// Number of the namespace.
    pub namespace: u64,
    /// How it reaches the outside.
    pub way: Way,
}

impl Home {
    pub(super) fn read(base: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(base.join(ABOUT)).ok()?).ok()
    }

    pub(super) fn write(&self, base: &Path) -> Result<()> {
        let (path, draft) = (base.join(ABOUT), base.join("network.json.new"));
        let doing = || format!("cannot write `{}`", path.display());
        let text = serde_json::to_vec(self).map_err(|error| Error::invalid(format!("{}: {error}", doing())))?;
        fs::write(&draft, text).doing(doing)?;
        fs::rename(&draft, &path).doing(doing)
    }
}

/// Of a process that needs the home.
struct Member {
    _lock: FileLock,
    netns: Arc<File>,
}

static MEMBER: Mutex<Option<Member>> = Mutex::new(None);

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` where the host's side of networks is; where there is no home, in an empty namespace, in which nothing is found.
pub fn in_home<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if !Privilege::current().is_rootless() || IS_INSIDE.get() {
        return work();
    }
    let home = open()?;
    netns::alone(move || {
        match home {
            Some(home) => netns::enter(home.as_fd())?,
            None => netns::unshare_thread().map(drop)?,
        }
        IS_INSIDE.set(true);
        work()
    })
}

/// Whether the host's side of networks can be anywhere.
pub fn is_there() -> bool {
    !Privilege::current().is_rootless() || open().is_ok_and(|home| home.is_some())
}

/// Makes sure of a home with a way out, which stays until this process ends or calls [`leave`]. The caller holds the lock
/// of the host's network.
pub fn make() -> Result<()> {
    if !Privilege::current().is_rootless() {
        return Ok(());
    }
    let base = privilege::run_base()?;
    let mut member = member();
    let running = record_lock::holder(&base.join(UPLINK))?;
    if member.is_some() && running.is_some() {
        return Ok(());
    }
    // Before looking again: an uplink that ends has this lock until it is gone.
    let held = share(&base)?;
    let look = || record_lock::holder(&base.join(UPLINK));
    let pid = if let Some(pid) = look()? {
        pid
    } else {
        uplink::start(&base)?;
        look()?
            .ok_or_else(|| Error::new(ErrorKind::Io, "the process that joins your networks with the outside ended"))?
    };
    if member.is_none() {
        *member = Some(Member { _lock: held, netns: Arc::new(namespace_of(pid)?) });
    }
    Ok(())
}

/// Keeps the home that is there; says whether this process has one now. For root there always is one.
pub fn join() -> Result<bool> {
    if !Privilege::current().is_rootless() {
        return Ok(true);
    }
    let base = privilege::run_base()?;
    let mut member = member();
    if member.is_some() {
        return Ok(true);
    }
    if record_lock::holder(&base.join(UPLINK))?.is_none() {
        return Ok(false);
    }
    let held = share(&base)?;
    let Some(pid) = record_lock::holder(&base.join(UPLINK))? else { return Ok(false) };
    *member = Some(Member { _lock: held, netns: Arc::new(namespace_of(pid)?) });
    Ok(true)
}

/// This process needs it no more. The caller holds the lock of the host's network.
pub fn leave() {
    *member() = None;
}

/// The home that this process keeps; `None` for root.
pub fn kept() -> Option<Arc<File>> {
    member().as_ref().map(|member| Arc::clone(&member.netns))
}

/// Has those who connect to addresses of containers find the namespace in which they are reached.
pub fn find_addresses() {
    if Privilege::current().is_rootless() {
        elsewhere::find_by(namespace_for);
    }
}

fn namespace_for(ip: IpAddr) -> Option<Arc<File>> {
    let home = if ip.is_loopback() { None } else { open().ok()? }?;
    in_home(|| is_of_networks(ip)).ok()?.then_some(home)
}

/// Whether an address is one of the networks of this thread's namespace: the route to it leads over a bridge of ours.
pub(super) fn is_of_networks(ip: IpAddr) -> Result<bool> {
    let routes = RouteSocket::open()?.routes().map_err(|refusal| refusal.doing("cannot list routes"))?;
    let is_bridge = |link| if_indextoname(link).is_ok_and(|name| name.to_bytes().starts_with(LINKS.as_bytes()));
    Ok(routes.iter().any(|route| route.prefix > 0 && route.contains(ip) && is_bridge(route.link)))
}

/// Brings back the uplink of containers that run, when it was killed. The caller holds the lock of the host's network.
pub fn mend() -> Result<()> {
    if is_severed()? { make() } else { Ok(()) }
}

/// Whether containers have a home without an uplink: it was killed.
pub fn is_severed() -> Result<bool> {
    if !Privilege::current().is_rootless() {
        return Ok(false);
    }
    let base = privilege::run_base()?;
    // Looked up first: who is a member waits for the uplink that ends.
    let is_needed = base.join(ABOUT).exists() && !lock::sharers(&base.join(MEMBERS)).is_empty();
    Ok(is_needed && record_lock::holder(&base.join(UPLINK))?.is_none())
}

fn member() -> MutexGuard<'static, Option<Member>> {
    MEMBER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open() -> Result<Option<Arc<File>>> {
    if let Some(netns) = kept() {
        return Ok(Some(netns));
    }
    let holder = record_lock::holder(&privilege::run_base()?.join(UPLINK))?;
    // It may have ended since.
    Ok(holder.and_then(|pid| namespace_of(pid).ok()).map(Arc::new))
}

fn namespace_of(pid: i32) -> Result<File> {
    let path = format!("/proc/{pid}/ns/net");
    File::open(&path).doing(|| format!("cannot open `{path}`"))
}

fn share(base: &Path) -> Result<FileLock> {
    let cancel = CancelToken::new().child_with_timeout(PATIENCE);
    FileLock::lock(members(base)?, LockMode::Shared, &cancel).map_err(|error| {
        let error = error.context("waiting for the network to be free");
        if error.is(ErrorKind::Timeout) { error.as_kind(ErrorKind::Busy).hint("try again") } else { error }
    })
}

/// Held by an uplink until the home is there: one whose starter is killed meanwhile goes on, and the next command starts
/// another one.
pub(super) fn hold_making(base: &Path) -> Result<FileLock> {
    let path = base.join(MAKING);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let cancel = CancelToken::new().child_with_timeout(PATIENCE);
    FileLock::lock(file.doing(|| format!("cannot open `{}`", path.display()))?, LockMode::Exclusive, &cancel)
}

/// The file that members lock.
pub(super) fn members(base: &Path) -> Result<File> {
    let path = base.join(MEMBERS);
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    options.open(&path).doing(|| format!("cannot open `{}`", path.display()))
}
