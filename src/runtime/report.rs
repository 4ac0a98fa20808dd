//! What a process on its way into a container tells its monitor, over a pipe that the exec closes.

use super::control::protocol::Failure;
use super::made_places::MadePlace;
use crate::error::{Error, ErrorKind};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// One line of the pipe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Warning(String),
    Failure(Failure),
    Made(Vec<MadePlace>),
    Created(i32),
    Reached(Stage),
    Executing,
}

/// Where a first process stops when its maker does not stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its namespaces, its control groups and its mounts are there: the hooks' turn.
    Environment,
    /// Nothing is left to do but to become the program.
    Program,
}

/// The end that the process writes to.
#[derive(Clone, Debug)]
pub struct Reporter(Arc<File>);

impl Reporter {
    /// Takes the writing end of a close-on-exec pipe.
    pub fn new(pipe: OwnedFd) -> Self {
        Self(Arc::new(pipe.into()))
    }

    /// Tells what could not be done as asked.
    pub fn warning(&self, text: &str) {
        self.write(&Line::Warning(text.to_owned()));
    }

    /// Tells what was made for mounts to have a place.
    pub fn made(&self, places: Vec<MadePlace>) {
        self.write(&Line::Made(places));
    }

    /// Tells the pid of the program's process, which is another one than this.
    pub fn created(&self, pid: i32) {
        self.write(&Line::Created(pid));
    }

    /// Tells how far it has come.
    pub fn reached(&self, stage: Stage) {
        self.write(&Line::Reached(stage));
    }

    /// Tells that nothing but the exec is left: an end of the pipe without this is a crash.
    pub fn executing(&self) {
        self.write(&Line::Executing);
    }

    /// Tells why it ends.
    pub fn failure(&self, failure: &Failure) {
        self.write(&Line::Failure(failure.clone()));
    }

    fn write(&self, line: &Line) {
        // When the monitor is gone, nobody is left to tell.
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let _ = (&*self.0).write_all(&text);
        }
    }
}

impl AsRawFd for Reporter {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Longest report that is read, bytes.
const LONGEST: u64 = 1 << 20;

/// A report that comes bit by bit: a process in a hostile container can be stopped in the middle of it.
#[derive(Debug)]
pub struct Incoming {
    pipe: File,
    text: Vec<u8>,
}

impl Incoming {
    /// Takes the reading end of the pipe.
    pub fn new(pipe: OwnedFd) -> nix::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: pipe.into(), text: Vec::new() })
    }

    /// Waits until nothing more can come: not for processes that a container can stop.
    pub fn wait_for_all(&self) {
        // Without it there is less to read, and no more than that.
        let _ = fcntl(&self.pipe, FcntlArg::F_SETFL(OFlag::empty()));
    }

    /// Reads what has come; the report once it is whole, or `ended` says that nothing more can come.
    pub fn collect(&mut self, ended: bool) -> Option<Report> {
        let left = LONGEST.saturating_sub(self.text.len() as u64);
        let waits = match (&self.pipe).take(left).read_to_end(&mut self.text) {
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            Ok(_) => false,
        };
        (ended || !waits).then(|| Report::parse(&self.text))
    }

    /// The process of the program, when it has been told so far.
    pub fn created(&mut self) -> Option<i32> {
        match self.collect(true) {
            Some(report) => report.created,
            None => None,
        }
    }
}

impl AsFd for Incoming {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// What came over the pipe up to its end: no failure means that the program was executed.
#[derive(Debug, Default)]
pub struct Report {
    /// What could not be done as asked.
    pub warnings: Vec<String>,
    /// What was made for mounts to have a place.
    pub made: Vec<MadePlace>,
    /// The process, when it is another one than whose report this is.
    pub created: Option<i32>,
    /// How far it has come.
    pub stage: Option<Stage>,
    /// Why there is no program.
    pub failure: Option<Failure>,
}

impl Report {
    /// Reads until a process is known, or it is known that there will be none.
    pub fn read_created(mut pipe: &File) -> Result<i32, Failure> {
        let (mut text, mut byte) = (Vec::new(), [0u8]);
        // Byte by byte: what follows is for who reads next.
        while text.len() < LONGEST as usize && matches!(pipe.read(&mut byte), Ok(1)) {
            text.push(byte[0]);
            if byte[0] == b'\n'
                && let Some(pid) = Self::parse(&text).created
            {
                return Ok(pid);
            }
        }
        Err(Self::parse(&text).failure.unwrap_or_default())
    }

    /// Reads until the process has come this far, or it is known that it never will. Gives warnings.
    pub fn read_until(mut pipe: &File, stage: Stage) -> Result<Vec<String>, Failure> {
        let (mut text, mut byte) = (Vec::new(), [0u8]);
        // Byte by byte: what follows is for who reads next.
        while text.len() < LONGEST as usize && matches!(pipe.read(&mut byte), Ok(1)) {
            text.push(byte[0]);
            if byte[0] == b'\n' {
                let report = Self::parse(&text);
                if report.stage == Some(stage) {
                    return Ok(report.warnings);
                }
            }
        }
        Err(Self::parse(&text).failure.unwrap_or_default())
    }

    /// Reads everything. The other end has been closed, or will be soon.
    pub fn read(pipe: OwnedFd) -> Self {
        let mut text = Vec::new();
        // A process cannot write more than this by accident.
        let _ = File::from(pipe).take(LONGEST).read_to_end(&mut text);
        Self::parse(&text)
    }

    fn parse(text: &[u8]) -> Self {
        let (mut report, mut executing) = (Self::default(), false);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Warning(warning)) => report.warnings.push(warning),
                Ok(Line::Failure(failure)) => report.failure = Some(failure),
                Ok(Line::Made(places)) => report.made = places,
                Ok(Line::Created(pid)) => report.created = Some(pid),
                Ok(Line::Reached(stage)) => report.stage = Some(stage),
                Ok(Line::Executing) => executing = true,
                Err(_) => {}
            }
        }
        if !executing && report.failure.is_none() {
            let error = Error::new(ErrorKind::Io, "the process was killed before it could execute the program");
            report.failure = Some(Failure::of("starting", &error));
        }
        report
    }
}
