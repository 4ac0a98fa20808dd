//! Every option of `run` that isolates, against what the kernel says.

mod init;
mod options;
mod seccomp;
mod shared;
