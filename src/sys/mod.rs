//! The only unsafe code and the only raw system calls: one kernel facility a file, each with a safe face.

pub mod async_runtime;
pub mod fork;
pub mod inode_flags;
pub mod lock;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod process;
