//! Reading a file as it comes.

use super::Host;
use super::session::Session;
use crate::context::Context;
use crate::error::Result;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStdout, Stdio};

/// A file that is being read.
pub struct Download {
    session: Session,
    stdout: ChildStdout,
    cx: Context,
    ended: bool,
}

impl Download {
    /// Asks for it.
    pub fn start(host: &Host, path: &str, cx: Context) -> Result<Self> {
        let doing = format!("cannot read `{path}` on {}", host.destination);
        let mut session = Session::start(host, r#"cat -- "$1""#, &[path], &doing, Stdio::null())?;
        let stdout = session.stdout()?;
        Ok(Self { session, stdout, cx, ended: false })
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        self.cx.cancel.wait_readable(Some(self.stdout.as_fd()), None).map_err(io::Error::other)?;
        let length = self.stdout.read(buffer)?;
        if length == 0 {
            self.ended = true;
            // A connection that broke looks like the end of the file until then.
            self.session.finish().map_err(io::Error::other)?;
        }
        Ok(length)
    }
}
