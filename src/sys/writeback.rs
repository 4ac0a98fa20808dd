//! Getting written bytes on their way to the disk, without waiting for them.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};

/// Starts to write what was written to a file so far (sync_file_range(2)): the `syncfs` that waits for it later has
/// less to do. Makes no promise, and may do nothing.
pub fn start(file: impl AsFd) {
    // SAFETY: the descriptor is open for the length of the call, which touches no memory of ours.
    unsafe { libc::sync_file_range(file.as_fd().as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}
