//! A connection to the control socket, and what is owed to it.

use super::execution::Execution;
use crate::runtime::control::Channel;
use crate::runtime::control::protocol::{Command, Event, Request, answer};

/// Who is connected.
pub struct Client {
    /// Its connection.
    pub channel: Channel,
    /// It is told of the container's end.
    pub waits: bool,
    /// The program that runs for it.
    pub execution: Option<Execution>,
}

impl Client {
    /// A new connection.
    pub fn new(channel: Channel) -> Self {
        Self { channel, waits: false, execution: None }
    }

    /// Its next request, if one is there. What cannot be read is refused at once.
    pub fn next_command(&mut self) -> Option<Command> {
        while let Some(line) = self.channel.next_line() {
            match serde_json::from_slice::<Request>(&line) {
                Ok(request) => return Some(request.command),
                Err(error) => {
                    self.tell(Event::Refused { message: format!("this monitor does not know that: {error}") });
                }
            }
        }
        None
    }

    /// Sends an answer. Who does not read loses it: a monitor waits for nobody.
    pub fn tell(&self, event: Event) {
        let _ = self.channel.send_now(&answer(event));
    }

    /// Whether it has gone and nothing of it is left to be looked after.
    pub fn is_over(&self) -> bool {
        self.channel.has_ended() && self.execution.is_none()
    }
}
