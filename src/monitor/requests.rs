//! What commands ask for over the control socket.

use super::client::Client;
use super::execution::Execution;
use super::stop::is_restarting;
use super::watch::{Life, Monitor};
use crate::error::{Error, Result};
use crate::runtime::control::Channel;
use crate::runtime::control::protocol::{Command, Event, ExecRequest};
use crate::sys::fd_passing;

impl Monitor {
    /// Takes new connections.
    pub fn accept(&mut self) {
        while let Ok(socket) = fd_passing::accept(&self.container.control) {
            self.clients.push(Client::new(Channel::new(socket)));
        }
    }

    /// Does what a client asks for.
    pub fn serve(&mut self, index: usize) {
        if self.clients[index].channel.fill().is_err() {
            self.clients[index].channel.end();
        }
        while let Some(command) = self.clients[index].next_command() {
            self.obey(index, command);
        }
        let client = &mut self.clients[index];
        if client.channel.has_ended()
            && let Some(execution) = &mut client.execution
        {
            execution.hang_up();
        }
    }

    fn obey(&mut self, index: usize, command: Command) {
        match command {
            Command::Wait => self.clients[index].waits = true,
            Command::Signal { number } => {
                let sent = self.signal_by_hand(number);
                self.clients[index].answer(&sent);
            }
            Command::Stop { timeout } => {
                self.clients[index].waits = true;
                self.stop(timeout.unwrap_or(self.container.launch.stop_timeout));
            }
            Command::Pause => self.pause(index, false),
            Command::Hold => self.pause(index, true),
            Command::Unpause => self.unpause(index),
            Command::Update { restart, memory_is_limited } => {
                self.container.launch.memory_is_limited |= memory_is_limited.unwrap_or(false);
                self.watch_memory();
                if let Some(policy) = restart {
                    self.restarts.set_policy(policy);
                }
                self.clients[index].tell(Event::Done);
            }
            Command::Exec { exec } => {
                if let Err(error) = self.exec(index, &exec) {
                    self.clients[index].refuse(&error);
                }
            }
            Command::Rename { name } => {
                self.rename(name);
                self.clients[index].tell(Event::Done);
            }
            Command::Reconnect { network } => {
                let connected = self.reconnect(*network);
                self.clients[index].answer(&connected);
            }
            Command::Attach => {
                if let Err(error) = self.attach(index) {
                    self.clients[index].refuse(&error);
                }
            }
            Command::Status => {
                self.clients[index].tell(Event::Status { state: Box::new(self.container.state.clone()) });
            }
            Command::OutliveLauncher => {
                self.container.launcher = None;
                self.clients[index].tell(Event::Done);
            }
            Command::Launch { .. } | Command::Go => {
                self.clients[index].refuse(&Error::conflict("the container runs already"));
            }
        }
    }

    fn exec(&mut self, index: usize, request: &ExecRequest) -> Result<()> {
        let stdio = self.clients[index].channel.take_fds();
        if self.is_frozen() {
            return Err(Error::conflict("the container is paused").hint("let it go on first: `unpause()`"));
        }
        if self.life == Life::Starting {
            return Err(is_restarting());
        }
        if self.container.init.is_none() {
            return Err(is_restarting());
        }
        let group = self.remains.group();
        let mut execution = Execution::start(request, stdio, &self.container, group, None)?;
        execution.victims_before = self.victims;
        self.clients[index].execution = Some(execution);
        Ok(())
    }

    /// The answer to who asks when the container has ended.
    pub fn serve_last(&mut self, index: usize, exited: &Event) {
        debug_assert_eq!(self.life, Life::Ended);
        let client = &mut self.clients[index];
        if client.channel.fill().is_err() {
            return;
        }
        while let Some(command) = client.next_command() {
            match command {
                Command::Wait | Command::Stop { .. } => client.waits = true,
                Command::Status => client.tell(Event::Status { state: Box::new(self.container.state.clone()) }),
                _ => client.refuse(&Error::conflict("the container has ended")),
            }
        }
        if client.waits {
            client.tell(exited.clone());
        }
    }
}
