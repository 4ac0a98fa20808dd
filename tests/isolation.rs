//! Every option of `run` that isolates, against what the kernel says.

mod seccomp;
