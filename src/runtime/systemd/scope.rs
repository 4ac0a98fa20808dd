//! Asking for a scope.

use super::address;
use super::bus::{Bus, answered};
use super::message::{Method, SIGNAL, Writer};
use crate::error::{Error, ErrorKind, Result};
use std::time::{Duration, Instant};

/// How long it may take. A machine that is busy starting up takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long its processes have to end after `TERM`, when systemd stops it: as long as Docker gives containers.
const ENDING: Duration = Duration::from_secs(10);
/// The signal that says that something systemd had to do is done.
const JOB_REMOVED: &str = "JobRemoved";

const START: Method = Method {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    member: "StartTransientUnit",
};

/// What is asked for.
pub struct Scope<'a> {
    /// Its name, with `.scope`; nobody else has it.
    pub name: &'a str,
    /// What people see of it.
    pub description: &'a str,
    /// The slice that it is in, with `.slice`.
    pub slice: &'a str,
}

/// Has a user's systemd move this process to a scope of its own, whose group is delegated: whoever is in it makes groups
/// below. It is there as long as something is in it. Returns when this process is there.
///
/// # Errors
/// Whatever the bus or systemd says; `timeout`.
pub fn start(uid: u32, scope: &Scope<'_>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    for address in address::of_user(uid) {
        match Bus::connect(&address, uid, deadline).and_then(|bus| start_on(bus, scope)) {
            Ok(()) => return Ok(()),
            // A session's bus may be another than that of systemd.
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::invalid("there is no bus")))
}

/// Whether a bus of a user is there, else why not.
pub fn is_there(uid: u32) -> Result<(), String> {
    let mut why = String::new();
    for address in address::of_user(uid) {
        match address.connect() {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("cannot connect to {address}: {error}"),
        }
    }
    Err(why)
}

fn start_on(mut bus: Bus, scope: &Scope<'_>) -> Result<()> {
    let Method { path, interface, .. } = START;
    bus.listen(&format!("type='signal',path='{path}',interface='{interface}',member='{JOB_REMOVED}'"))?;
    let serial = bus.send(&START, "ssa(sv)a(sa(sv))", |values| write(values, scope))?;
    let (mut job, mut ended) = (None, Vec::new());
    loop {
        let message = bus.next()?;
        if message.answers == Some(serial) {
            job = answered(&START, message)?.strings().first().map(|path| (*path).to_owned());
        } else if message.kind == SIGNAL && message.member.as_deref() == Some(JOB_REMOVED) {
            // Which job, of what unit, and how it ended. It may come before the answer that names the job.
            ended.push(message.strings().into_iter().map(str::to_owned).collect::<Vec<_>>());
        }
        let ours = |words: &&Vec<String>| !words.is_empty() && words.first() == job.as_ref();
        match ended.iter().find(ours).and_then(|words| words.get(2)).map(String::as_str) {
            None => {}
            Some("done") => return Ok(()),
            Some(result) => {
                return Err(Error::new(ErrorKind::Io, format!("systemd does not start `{}`: {result}", scope.name)));
            }
        }
    }
}

fn write(values: &mut Writer, scope: &Scope<'_>) {
    values.string(scope.name).string("fail");
    values.array(8, |all| {
        let text = |all: &mut Writer, name: &str, value: &str| {
            all.structure().string(name).signature("s").string(value);
        };
        text(all, "Description", scope.description);
        text(all, "Slice", scope.slice);
        // One that failed would stay, and be shown, until somebody looks at it.
        text(all, "CollectMode", "inactive-or-failed");
        all.structure().string("Delegate").signature("b").bool(true);
        // How many a container has is said by its own limit.
        all.structure().string("TasksMax").signature("t").u64(u64::MAX);
        all.structure().string("TimeoutStopUSec").signature("t").u64(ENDING.as_micros() as u64);
        // Whoever asks, by whatever number systemd knows it.
        all.structure().string("PIDs").signature("au").array(4, |pids| {
            pids.u32(0);
        });
    });
    // No units beside it.
    values.array(8, |_| ());
}

#[cfg(test)]
mod tests;
