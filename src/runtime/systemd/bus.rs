//! A connection to a bus: saying who we are, calls, and what comes back.

use super::address::Address;
use super::message::{self, ERROR, FIXED, Message, Method, RETURN, Writer};
use crate::error::{Error, ErrorKind, IoContext, Result};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// The bus itself.
const HELLO: Method = of_bus("Hello");
const ADD_MATCH: Method = of_bus("AddMatch");
/// A longer answer to who we are is none, bytes.
const LONGEST_LINE: usize = 4096;

/// One that answers until some moment.
pub struct Bus {
    stream: UnixStream,
    deadline: Instant,
    last_serial: u32,
}

impl Bus {
    /// Connects as a user: its number outside of the user namespace that we are in.
    pub fn connect(address: &Address, uid: u32, deadline: Instant) -> Result<Self> {
        let stream = address.connect().doing(|| format!("cannot connect to {address}"))?;
        let mut bus = Self { stream, deadline, last_serial: 0 };
        // "EXTERNAL" is whom the kernel says that the socket belongs to; a zero byte comes first.
        bus.write(format!("\0AUTH EXTERNAL {}\r\n", hex::encode(uid.to_string())).as_bytes())?;
        let answer = bus.line()?;
        if !answer.starts_with("OK ") {
            return Err(Error::new(ErrorKind::Denied, format!("the bus at {address} refuses you: {answer}")));
        }
        bus.write(b"BEGIN\r\n")?;
        bus.call(&HELLO, "", |_| ())?;
        Ok(bus)
    }

    /// Has signals come that a rule fits.
    pub fn listen(&mut self, rule: &str) -> Result<()> {
        self.call(&ADD_MATCH, "s", |values| {
            values.string(rule);
        })
        .map(drop)
    }

    /// Calls a method, and waits for its answer. Signals that come meanwhile are passed over.
    pub fn call(&mut self, method: &Method, signature: &str, body: impl FnOnce(&mut Writer)) -> Result<Message> {
        let serial = self.send(method, signature, body)?;
        loop {
            let message = self.next()?;
            if message.answers == Some(serial) {
                return answered(method, message);
            }
        }
    }

    /// Calls a method, whose answer comes among the [`next`](Self::next) messages; gives the number that it answers.
    pub fn send(&mut self, method: &Method, signature: &str, body: impl FnOnce(&mut Writer)) -> Result<u32> {
        self.last_serial += 1;
        self.write(&message::call(method, self.last_serial, signature, body))?;
        Ok(self.last_serial)
    }

    /// The next message.
    pub fn next(&mut self) -> Result<Message> {
        let mut bytes = vec![0; FIXED];
        self.read(&mut bytes)?;
        let odd = || Error::new(ErrorKind::Io, "the bus sends what is no message");
        let length = Message::length(&bytes).ok_or_else(odd)?;
        bytes.resize(length, 0);
        self.read(&mut bytes[FIXED..])?;
        Message::parse(&bytes).ok_or_else(odd)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < LONGEST_LINE {
            let mut byte = [0];
            self.read(&mut byte)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::Timeout, "the bus does not answer"));
            }
            self.stream.set_read_timeout(Some(left)).doing(|| "cannot wait for the bus")?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => return Err(Error::new(ErrorKind::Io, "the bus has ended the connection")),
                Ok(count) => filled += count,
                Err(error)
                    if matches!(error.kind(), std::io::ErrorKind::Interrupted | std::io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error).doing(|| "cannot read from the bus"),
            }
        }
        Ok(())
    }

    /// A few hundred bytes, which the socket takes at once.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).doing(|| "cannot write to the bus")
    }
}

/// The answer to a method, or the error that it is.
pub fn answered(method: &Method, message: Message) -> Result<Message> {
    match message.kind {
        RETURN => Ok(message),
        ERROR => {
            let name = message.error.as_deref().unwrap_or("an error without a name");
            let said = message.strings().first().map_or_else(|| name.to_owned(), |text| (*text).to_owned());
            Err(Error::new(ErrorKind::Io, format!("`{}` fails: {said}", method.member)))
        }
        kind => Err(Error::new(ErrorKind::Io, format!("`{}` is answered by a message of type {kind}", method.member))),
    }
}

const fn of_bus(member: &'static str) -> Method {
    Method {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member,
    }
}
