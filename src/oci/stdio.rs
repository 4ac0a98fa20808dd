//! Input and output of a program: those of the caller, or a terminal.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::WindowSize;
use crate::runtime::terminal::Console;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, socket, socketpair};
use nix::unistd::dup;
use oci_spec::runtime::Process;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// Where the three descriptors of a program come from.
#[derive(Debug)]
pub enum Stdio {
    /// The caller's own.
    Caller,
    /// A terminal whose master goes to a socket of the caller's.
    Console(Console),
    /// A terminal that this process itself is at the other end of.
    Here(Console, OwnedFd),
}

/// The ends of a program's input and output.
#[derive(Debug)]
pub struct Taken {
    /// Input, output and error output of the program, when it has no terminal.
    pub descriptors: [Option<OwnedFd>; 3],
    /// Its terminal, to be opened.
    pub console: Option<Console>,
    /// Where the master of that comes from, when this process is at its other end.
    pub master: Option<OwnedFd>,
}

impl Stdio {
    /// What fits the process and the options. `stays` tells whether this process waits for the program.
    ///
    /// # Errors
    /// `invalid` for a terminal that nobody would be at, and for a console socket without a terminal.
    pub fn new(process: &Process, console_socket: Option<&Path>, stays: bool) -> Result<Self> {
        let size = process.console_size().map(|size| WindowSize {
            rows: u16::try_from(size.height()).unwrap_or(0),
            columns: u16::try_from(size.width()).unwrap_or(0),
        });
        match (process.terminal().unwrap_or(false), console_socket) {
            (false, None) => Ok(Self::Caller),
            (false, Some(_)) => Err(Error::invalid("a console socket was given for a process without a terminal")
                .hint("leave `--console-socket` out, or set `process.terminal`")),
            (true, Some(path)) => Ok(Self::Console(Console { socket: connected(path)?, size })),
            (true, None) if stays => {
                let doing = || "cannot make a socket";
                let (here, there) =
                    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).doing(doing)?;
                Ok(Self::Here(Console { socket: there, size }, here))
            }
            (true, None) => Err(Error::invalid("the process has a terminal, and nobody would be at its other end")
                .hint("give `--console-socket`, or `--detach=false`")),
        }
    }

    /// What goes to the process, and what stays here.
    pub fn take(self) -> Result<Taken> {
        let mut taken = Taken { descriptors: [None, None, None], console: None, master: None };
        match self {
            Self::Caller => {
                let doing = || "cannot hand input and output on";
                let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
                let own = [dup(input).doing(doing)?, dup(output).doing(doing)?, dup(error).doing(doing)?];
                taken.descriptors = own.map(Some);
            }
            Self::Console(console) => taken.console = Some(console),
            Self::Here(console, master) => (taken.console, taken.master) = (Some(console), Some(master)),
        }
        Ok(taken)
    }
}

fn connected(path: &Path) -> Result<OwnedFd> {
    let doing = || format!("cannot connect to the console socket `{}`", path.display());
    let place = super::container::open_place(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().ok_or_else(|| Error::new(ErrorKind::Invalid, doing()))?;
    // Through its directory: the whole path may be longer than an address.
    let address = Path::new("/proc/self/fd").join(place.as_raw_fd().to_string()).join(name);
    let address = nix::sys::socket::UnixAddr::new(&address).doing(doing)?;
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
    connect(socket.as_raw_fd(), &address).doing(doing)?;
    Ok(socket)
}

/// The descriptors from 3 on that are handed on: so many, and those of socket activation (sd_listen_fds(3)).
pub fn preserved(process: &mut Process, count: u32) -> Result<Vec<RawFd>> {
    let listening = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
    if listening > 0 {
        let mut env = process.env().clone().unwrap_or_default();
        // Of the program, which is the first process.
        env.extend([format!("LISTEN_FDS={listening}"), "LISTEN_PID=1".to_owned()]);
        process.set_env(Some(env));
    }
    let last = 3 + i32::try_from(listening.saturating_add(count)).unwrap_or(i32::MAX - 3);
    let descriptors: Vec<RawFd> = (3..last).collect();
    match descriptors.iter().find(|fd| !Path::new(&format!("/proc/self/fd/{fd}")).exists()) {
        None => Ok(descriptors),
        Some(fd) => Err(Error::invalid(format!("descriptor {fd} is to be handed on, and is not open"))
            .hint("give `--preserve-fds` the number of descriptors beside the first three")),
    }
}
