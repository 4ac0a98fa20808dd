//! The only unsafe code and the only raw system calls: one kernel facility a file, each with a safe face.

pub mod allocator;
pub mod async_runtime;
pub mod bpf;
pub mod capability;
pub mod clone;
pub mod close_range;
pub mod domain_name;
pub mod fd_passing;
pub mod fork;
pub mod inode_flags;
pub mod keyring;
pub mod lock;
pub mod mount;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod niceness;
pub mod openat2;
pub mod pidfd;
pub mod process;
pub mod pump;
pub mod record_lock;
pub mod seccomp;
pub mod signals;
pub mod writeback;
pub mod xattr;
