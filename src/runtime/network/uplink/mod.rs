//! The process that joins an ordinary user's networks with the outside: this binary in a hidden role. There is one for all
//! roots of a user.
//!
//! Its main thread lives in the home of the networks, so that others find that as the namespace of the process. The threads
//! that were started before it moved stay in the machine's namespace, as all that they start: what they connect to is what
//! the user reaches. It ends when nobody needs the home.

mod destination;
mod life;
mod pasta;
pub(super) mod rules;
mod shares;
mod start;
mod tcp;
mod udp;

pub use life::run;
pub(super) use start::start;

/// Name that it is executed under: `shanty-uplink FOLDER`.
pub const ARGV0: &str = "shanty-uplink";

use std::io;
use std::thread::{self, JoinHandle};

/// Stacks of the threads, bytes: their buffers are on the heap.
const STACK: usize = 128 * 1024;

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}
