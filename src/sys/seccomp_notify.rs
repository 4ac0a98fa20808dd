//! System calls that a filter asks about (seccomp_unotify(2)): they wait until they are answered here.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A call that waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Names it in an answer.
    pub id: u64,
    /// The thread that makes it, as this process sees it.
    pub pid: u32,
    /// `AUDIT_ARCH_…`: the way that it came in.
    pub arch: u32,
    /// Its number there.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It gives 0 and was not made.
    Done,
    /// It fails.
    Failed(Errno),
    /// The kernel makes it as if nobody had been asked.
    Made,
}

/// `struct seccomp_notif` (linux/seccomp.h), with `struct seccomp_data` in it.
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction_pointer: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// Numbers of `_IOWR` and `_IOW` (asm-generic/ioctl.h) for the type `!`.
const fn request(direction: u64, number: u64, size: usize) -> u64 {
    direction << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number
}
const RECEIVE: u64 = request(3, 0, size_of::<Notification>());
const SEND: u64 = request(3, 1, size_of::<Response>());
const IS_VALID: u64 = request(1, 2, size_of::<u64>());
const CONTINUE: u32 = 1;

/// The next call; waits for it. `None` when who made it was killed meanwhile.
pub fn receive(listener: BorrowedFd<'_>) -> nix::Result<Option<Call>> {
    let mut seen = Notification::default();
    // SAFETY: the structure has the size that the number of the request says, and is all zeros as the kernel wants.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut seen) };
    match Errno::result(result) {
        Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno),
        Ok(_) => Ok(Some(Call {
            id: seen.id,
            pid: seen.pid,
            arch: seen.arch,
            number: seen.number.cast_unsigned(),
            arguments: seen.arguments,
        })),
    }
}

/// Whether the call waits still: what was opened of its thread before this is that thread's, and no later one's.
pub fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the request takes a pointer to a number of 64 bits, which outlives the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), IS_VALID as _, &raw const id) == 0 }
}

/// Lets the call go on; one that was killed meanwhile needs no answer.
pub fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Done => (0, 0),
        Answer::Failed(errno) => (-(errno as i32), 0),
        Answer::Made => (0, CONTINUE),
    };
    let mut response = Response { id, value: 0, error, flags };
    // SAFETY: the structure has the size that the number of the request says, and outlives the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw mut response) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_numbers_of_the_header() {
        assert_eq!((RECEIVE, SEND, IS_VALID), (0xc050_2100, 0xc018_2101, 0x4008_2102));
    }
}
