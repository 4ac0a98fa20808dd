//! Writing a file: under another name, and renamed by a second session once all of it is known to be there.
//!
//! `cat > new && mv new file` in one session would not do: when the connection breaks, `cat` sees the end of its input as if
//! nothing were wrong.

use super::Host;
use super::session::{Session, run};
use crate::context::{CancelToken, Context};
use crate::error::{Error, Result};
use crate::model::Id;
use crate::script::api::backup_target::Destination;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

/// How unfinished files end: they are nobody's backups.
const UNFINISHED: &str = ".partial";
/// How often, in milliseconds, is looked whether the script has to end, while the other side takes nothing.
const LOOK: u16 = 100;
/// How long the other side may take to remove what is unfinished.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a name is that of an unfinished file.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(UNFINISHED)
}

/// A file that is being written.
pub struct Upload {
    host: Host,
    path: String,
    unfinished: String,
    session: Option<(Session, ChildStdin)>,
    written: u64,
    cx: Context,
    done: bool,
}

impl Upload {
    /// Starts to write it; its folder exists.
    pub fn start(host: Host, path: String, cx: Context) -> Result<Self> {
        let (folder, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
        if name.is_empty() || name == "." || name == ".." {
            return Err(Error::invalid(format!("`{path}` has no name of a file")));
        }
        let slash = if path.contains('/') { "/" } else { "" };
        let unfinished = format!("{folder}{slash}.{name}.{}{UNFINISHED}", &Id::random()?.to_string()[..12]);
        let doing = format!("cannot write `{path}` on {}", host.destination);
        // What a volume holds is its owner's alone.
        let script = r#"[ -d "$2" ] || { echo "$2: No such file or directory" >&2; exit 1; }
umask 077 && cat > "$1""#;
        let within = if folder.is_empty() { if slash.is_empty() { "." } else { "/" } } else { folder };
        let mut session = Session::start(&host, script, &[&unfinished, within], &doing, Stdio::piped())?;
        let stdin = session.stdin()?;
        // So that a write ends when the script has to.
        fcntl(&stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| Error::invalid(format!("{doing}: {errno}")))?;
        Ok(Self { host, path, unfinished, session: Some((session, stdin)), written: 0, cx, done: false })
    }

    fn doing(&self) -> String {
        format!("cannot write `{}` on {}", self.path, self.host.destination)
    }

    /// Why the other side takes nothing any more.
    fn broken(&mut self) -> io::Error {
        let Some((mut session, stdin)) = self.session.take() else { return io::ErrorKind::BrokenPipe.into() };
        drop(stdin);
        let why = session.finish().err();
        io::Error::other(why.unwrap_or_else(|| Error::invalid(format!("{}: it ended too soon", self.doing()))))
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.cx.check().map_err(io::Error::other)?;
            let Some((_, stdin)) = &mut self.session else { return Err(io::ErrorKind::BrokenPipe.into()) };
            match nix::unistd::write(&*stdin, bytes) {
                Ok(length) => {
                    self.written += length as u64;
                    return Ok(length);
                }
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(LOOK));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE) => return Err(self.broken()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for Upload {
    fn commit(mut self: Box<Self>) -> Result<()> {
        let Some((mut session, stdin)) = self.session.take() else {
            return Err(Error::invalid(format!("{}: it was broken off", self.doing())));
        };
        drop(stdin);
        session.finish()?;
        // On the disk before it has its name, where the other side can do that for a file.
        let script = r#"[ "$(wc -c < "$1")" -eq "$3" ] || { echo "a part is missing" >&2; exit 1; }
sync "$1" 2>/dev/null
mv -f -- "$1" "$2""#;
        let written = self.written.to_string();
        run(&self.host, script, &[&self.unfinished, &self.path, &written], &self.cx, &self.doing())?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // First the session, which would go on writing.
        self.session = None;
        // What ended the upload may have been the end of the script.
        let cancel = CancelToken::new().child_with_timeout(REMOVE_TIMEOUT);
        let cx = Context { cancel, ..Context::background() };
        let _ = super::remove(&self.host, &self.unfinished, &cx);
    }
}
