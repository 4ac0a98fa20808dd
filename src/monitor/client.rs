//! A connection to the control socket, and what is owed to it.

use super::attach::Viewer;
use super::execution::Execution;
use crate::error::{Error, Result};
use crate::runtime::control::Channel;
use crate::runtime::control::protocol::{Command, Event, Failure, Request, answer};
use std::os::fd::BorrowedFd;

/// Who is connected.
pub struct Client {
    /// Its connection.
    pub channel: Channel,
    /// It is told of the container's end.
    pub waits: bool,
    /// It is told when everything is frozen.
    pub pauses: bool,
    /// Everything is frozen for as long as it is connected.
    pub holds: bool,
    /// It sees the program's output.
    pub viewer: Option<Viewer>,
    /// The program that runs for it.
    pub execution: Option<Execution>,
}

impl Client {
    /// A new connection.
    pub fn new(channel: Channel) -> Self {
        Self { channel, waits: false, pauses: false, holds: false, viewer: None, execution: None }
    }

    /// Its next request, if one is there. What cannot be read is refused at once.
    pub fn next_command(&mut self) -> Option<Command> {
        while let Some(line) = self.channel.next_line() {
            match serde_json::from_slice::<Request>(&line) {
                Ok(request) => return Some(request.command),
                Err(error) => {
                    self.tell(Event::Refused {
                        message: format!("this monitor does not know that: {error}"),
                        failure: None,
                    });
                }
            }
        }
        None
    }

    /// Sends an answer. Who does not read loses it: a monitor waits for nobody.
    pub fn tell(&self, event: Event) {
        let _ = self.channel.send_now(&answer(event));
    }

    /// The same, with descriptors.
    pub fn tell_with(&self, event: Event, fds: &[BorrowedFd<'_>]) {
        let _ = self.channel.send_now_with(&answer(event), fds);
    }

    /// Says that it was done, or why not.
    pub fn answer(&self, result: &Result<()>) {
        match result {
            Ok(()) => self.tell(Event::Done),
            Err(error) => self.refuse(error),
        }
    }

    /// Says why it is not done.
    pub fn refuse(&self, error: &Error) {
        self.tell(Event::Refused { message: error.message(), failure: Some(Failure::of("", error)) });
    }

    /// Whether it has gone and nothing of it is left to be looked after.
    pub fn is_over(&self) -> bool {
        self.channel.has_ended() && self.execution.is_none()
    }
}
