//! Every option of `run` that isolates, against what the kernel says.

mod docker;
mod exec;
mod init;
mod options;
mod seccomp;
mod shared;
mod userns;
