//! Moves the input and output of a command through pipes, and collects what it writes.

use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{ExecIo, Stream};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Most that is kept of each stream, in bytes; more fails.
const CAPTURE_LIMIT: usize = 64 << 20;
/// Of each stream, in bytes, where only the end is wanted: that much at most, half of it at least.
const END: usize = 256 << 10;
/// What a terminal takes for the end of its input: Ctrl-D.
pub const END_OF_INPUT: u8 = 4;
/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Our ends of the pipes of one command.
pub struct Pump {
    stdin: Option<(OwnedFd, Vec<u8>, usize)>,
    outputs: [Option<OwnedFd>; 2],
    /// What was collected: standard output, standard error.
    pub collected: [Vec<u8>; 2],
}

/// Makes the pipes: our ends, and input, output and error output for the command.
/// Without input it reads from `/dev/null`.
pub fn pipes(stdin: Option<Vec<u8>>) -> Result<(Pump, [OwnedFd; 3])> {
    let doing = || "cannot make a pipe";
    let (stdin, their_stdin) = match stdin {
        Some(bytes) => {
            let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
            (Some((nonblocking(ours)?, bytes, 0)), theirs)
        }
        None => (None, std::fs::File::open("/dev/null").doing(|| "cannot open `/dev/null`")?.into()),
    };
    let (stdout, their_stdout) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    let (stderr, their_stderr) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    let outputs = [Some(nonblocking(stdout)?), Some(nonblocking(stderr)?)];
    let pump = Pump { stdin, outputs, collected: [Vec::new(), Vec::new()] };
    Ok((pump, [their_stdin, their_stdout, their_stderr]))
}

/// Our end of the terminal of one command: everything that it writes is its standard output.
pub fn of_terminal(master: OwnedFd, stdin: Option<Vec<u8>>) -> Result<Pump> {
    let output = nonblocking(master)?;
    let stdin = match stdin {
        Some(mut bytes) => {
            bytes.push(END_OF_INPUT);
            Some((output.try_clone().doing(|| "cannot take the terminal over")?, bytes, 0))
        }
        None => None,
    };
    Ok(Pump { stdin, outputs: [Some(output), None], collected: [Vec::new(), Vec::new()] })
}

impl Pump {
    /// Moves bytes until `ended` becomes readable and what was written by then has been read. Children
    /// that the command left behind may hold its output open: they are not waited for.
    /// `None`: it is known to have ended.
    pub fn run(&mut self, cx: &Context, ended: Option<BorrowedFd<'_>>, io: &mut ExecIo<'_>) -> Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            cx.check()?;
            let is_over = match ended {
                Some(ended) => self.wait(cx, ended)?,
                None => true,
            };
            self.feed()?;
            for index in 0..2 {
                while self.take(index, &mut buffer, io)? {
                    cx.check()?;
                }
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Waits until something can be moved; whether the command has ended.
    fn wait(&self, cx: &Context, ended: BorrowedFd<'_>) -> Result<bool> {
        let mut fds = vec![PollFd::new(ended, PollFlags::POLLIN)];
        fds.extend(cx.cancel.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        fds.extend(self.outputs.iter().flatten().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.stdin.iter().map(|(fd, _, _)| PollFd::new(fd.as_fd(), PollFlags::POLLOUT)));
        let timeout = match cx.cancel.remaining() {
            Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(fds[0].any() == Some(true)),
            Err(errno) => Err(errno).doing(|| "cannot wait for a command"),
        }
    }

    /// Writes what the command takes of its input; closes it at its end, or when nobody reads.
    fn feed(&mut self) -> Result<()> {
        while let Some((fd, bytes, done)) = &mut self.stdin {
            if *done == bytes.len() {
                self.stdin = None;
                break;
            }
            match write(&*fd, &bytes[*done..]) {
                Ok(written) => *done += written,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::EIO) => self.stdin = None,
                Err(errno) => return Err(errno).doing(|| "cannot write to a command"),
            }
        }
        Ok(())
    }

    /// Reads one chunk; `false` when there is nothing now.
    fn take(&mut self, index: usize, buffer: &mut [u8], io: &mut ExecIo<'_>) -> Result<bool> {
        let Some(fd) = &self.outputs[index] else { return Ok(false) };
        match read(fd, buffer) {
            // EIO: the other end of a terminal is gone.
            Ok(0) | Err(Errno::EIO) => {
                self.outputs[index] = None;
                Ok(false)
            }
            Ok(count) => {
                let bytes = &buffer[..count];
                if let Some(on_output) = io.on_output.as_mut() {
                    on_output(if index == 0 { Stream::Stdout } else { Stream::Stderr }, bytes)?;
                }
                if io.keep_end && self.collected[index].len() > END {
                    let surplus = self.collected[index].len() - END / 2;
                    self.collected[index].drain(..surplus);
                }
                if self.collected[index].len() + count > CAPTURE_LIMIT {
                    return Err(Error::new(ErrorKind::Io, "a command wrote more than 64 MiB")
                        .hint("let it write into a file, or take its output as it comes with a last `|line| …`"));
                }
                self.collected[index].extend_from_slice(bytes);
                Ok(true)
            }
            Err(Errno::EAGAIN) => Ok(false),
            Err(Errno::EINTR) => Ok(true),
            Err(errno) => Err(errno).doing(|| "cannot read what a command writes"),
        }
    }
}

fn nonblocking(fd: OwnedFd) -> Result<OwnedFd> {
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).doing(|| "cannot set up a pipe")?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pidfd;
    use std::process::Command;
    use std::time::Instant;

    fn run(script: &str, stdin: Option<Vec<u8>>) -> Pump {
        let (mut pump, [stdin, stdout, stderr]) = pipes(stdin).unwrap();
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        let ended = pidfd::open(child.id() as i32).unwrap();
        pump.run(&Context::background(), Some(ended.as_fd()), &mut ExecIo::default()).unwrap();
        child.wait().unwrap();
        pump
    }

    #[test]
    fn both_streams_and_a_large_input_pass() {
        let input = vec![b'x'; 1 << 20];
        let pump = run("cat; echo done >&2", Some(input.clone()));
        assert!(pump.collected[0] == input && pump.collected[1] == b"done\n");
    }

    #[test]
    fn a_child_left_behind_is_not_waited_for() {
        let start = Instant::now();
        let pump = run("sleep 20 & echo $!", None);
        assert!(start.elapsed() < Duration::from_secs(10));
        let pid: i32 = String::from_utf8_lossy(&pump.collected[0]).trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}
