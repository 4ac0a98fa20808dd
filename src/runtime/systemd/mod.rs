//! What an ordinary user's systemd is asked for: a scope, which is a control group of processes that it did not start
//! (org.freedesktop.systemd1(5), systemd.scope(5)).
//!
//! The one call goes over D-Bus, in code of our own. `zbus` brings an executor and some fifty packages; `rustbus` and
//! `tokio-dbus` are small enough, but tell the bus the number that the process sees of itself: inside a user namespace
//! that is 0, and the bus, which sees the user's, refuses it.

mod address;
mod bus;
mod message;
mod scope;

pub use address::VARIABLE as BUS;
pub use scope::{Scope, is_there, start};
