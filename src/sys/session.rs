//! A person at this process's terminal, and a program elsewhere: what is typed goes there, what it writes comes here.

use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{DetachKeys, WindowSize};
use crate::sys::pty;
use crate::sys::pump::END_OF_INPUT;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, write};
use signal_hook::consts::{SIGHUP, SIGWINCH};
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};
use std::io::{IsTerminal, Read, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// The program's ends. None of them may block.
#[derive(Debug, Default)]
pub struct Remote {
    /// Where what is typed goes; `None`: nowhere.
    pub input: Option<OwnedFd>,
    /// What it writes: to standard output and error output.
    pub outputs: [Option<OwnedFd>; 2],
    /// Its terminal, when it has one: follows the size of ours, which goes into raw mode meanwhile.
    pub terminal: Option<OwnedFd>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The program has ended, and what it wrote has been shown.
    Program,
    /// The detach keys were pressed.
    Detached,
}

/// The size of the terminal that this process is used at; `None` when its input and output are not both one.
pub fn terminal_size() -> Option<WindowSize> {
    (stdin().is_terminal() && stdout().is_terminal()).then(|| pty::size(stdout()).unwrap_or(WindowSize::USUAL))
}

/// Joins both until the program has ended, which `ended` tells by becoming readable (`None`: it has), or the keys
/// were pressed. The terminal is as it was before on every way out.
pub fn join(cx: &Context, mut remote: Remote, ended: Option<BorrowedFd<'_>>, keys: &DetachKeys) -> Result<End> {
    let _raw = match &remote.terminal {
        Some(_) if stdin().is_terminal() => Some(RawMode::enter().doing(|| "cannot set the terminal to raw mode")?),
        _ => None,
    };
    let mut signals = Signals::new().doing(|| "cannot listen for signals")?;
    remote.follow_size();
    let (mut typed, mut held, mut buffer) = (Vec::new(), 0, vec![0; CHUNK]);
    let mut reads_input = remote.input.is_some();
    loop {
        cx.check()?;
        let over = match ended {
            Some(ended) => wait(cx, &remote, ended, &signals, reads_input && typed.is_empty(), !typed.is_empty())?,
            None => true,
        };
        if signals.take()? {
            remote.follow_size();
        }
        if reads_input && typed.is_empty() && is_readable(stdin().as_fd()) {
            let count = read(stdin(), &mut buffer[..4096]).or_else(again).doing(|| "cannot read what is typed")?;
            let (passed, detach) = keys.filter(&mut held, &buffer[..count]);
            typed = passed;
            if detach {
                return Ok(End::Detached);
            }
            if count == 0 {
                reads_input = false;
                match &remote.terminal {
                    Some(_) => typed.push(END_OF_INPUT),
                    None => remote.input = None,
                }
            }
        }
        remote.type_in(&mut typed)?;
        remote.show(&mut buffer)?;
        if over {
            return Ok(End::Program);
        }
    }
}

fn wait(
    cx: &Context,
    remote: &Remote,
    ended: BorrowedFd<'_>,
    signals: &Signals,
    reads_input: bool,
    has_input: bool,
) -> Result<bool> {
    let input = stdin();
    let mut fds = vec![PollFd::new(ended, PollFlags::POLLIN), PollFd::new(signals.pipe.as_fd(), PollFlags::POLLIN)];
    fds.extend(cx.cancel.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
    fds.extend(remote.outputs.iter().flatten().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
    if reads_input {
        fds.push(PollFd::new(input.as_fd(), PollFlags::POLLIN));
    }
    if let (true, Some(input)) = (has_input, &remote.input) {
        fds.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
    }
    let timeout = match cx.cancel.remaining() {
        Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
        None => PollTimeout::NONE,
    };
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(fds[0].any() == Some(true)),
        Err(errno) => Err(errno).doing(|| "cannot wait for the program"),
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
}

/// A terminal whose other end is gone has come to its end.
fn again(errno: Errno) -> nix::Result<usize> {
    if errno == Errno::EIO { Ok(0) } else { Err(errno) }
}

impl Remote {
    fn follow_size(&self) {
        if let (Some(terminal), Some(size)) = (&self.terminal, terminal_size()) {
            // The program may have ended just now.
            let _ = pty::set_size(terminal, size);
        }
    }

    fn type_in(&mut self, typed: &mut Vec<u8>) -> Result<()> {
        while let (Some(input), false) = (&self.input, typed.is_empty()) {
            match write(input, typed) {
                Ok(count) => drop(typed.drain(..count)),
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                // Nobody reads it any more.
                Err(Errno::EPIPE | Errno::EIO) => {
                    typed.clear();
                    self.input = None;
                }
                Err(errno) => return Err(errno).doing(|| "cannot write to the program"),
            }
        }
        Ok(())
    }

    fn show(&mut self, buffer: &mut [u8]) -> Result<()> {
        for (index, output) in self.outputs.iter_mut().enumerate() {
            while let Some(from) = output {
                match read(&*from, buffer) {
                    Ok(0) | Err(Errno::EIO) => *output = None,
                    Ok(count) => {
                        let (out, err) = (stdout(), stderr());
                        let to = if index == 0 { out.as_fd() } else { err.as_fd() };
                        write_all(to, &buffer[..count]).doing(|| "cannot write to the terminal")?;
                    }
                    Err(Errno::EAGAIN) => break,
                    Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno).doing(|| "cannot read what the program writes"),
                }
            }
        }
        Ok(())
    }
}

/// Straight to the descriptor: what a program draws is not for a buffer of lines.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::POLLOUT)], PollTimeout::NONE).map(drop)?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Our terminal gives every key as it is pressed, until this is dropped.
struct RawMode(Termios);

impl RawMode {
    fn enter() -> nix::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Changes of the window, and a terminal that is hung up: by default that would end this process in raw mode. Ctrl-C
/// and SIGTERM cancel the context.
struct Signals {
    pipe: UnixStream,
    hung_up: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (pipe, writer) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let hung_up = Arc::new(AtomicBool::new(false));
        let mut signals = Self { pipe, hung_up: hung_up.clone(), registered: Vec::new() };
        // The flag first: whoever is woken finds it set.
        signals.registered.push(flag::register(SIGHUP, hung_up)?);
        signals.registered.push(pipe::register(SIGHUP, writer.try_clone()?)?);
        signals.registered.push(pipe::register(SIGWINCH, writer)?);
        Ok(signals)
    }

    /// Whether the window may have changed.
    fn take(&mut self) -> Result<bool> {
        if self.hung_up.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Cancelled, "the terminal was hung up"));
        }
        let mut woken = false;
        while matches!(self.pipe.read(&mut [0; 16]), Ok(1..)) {
            woken = true;
        }
        Ok(woken)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}
