//! An OCI runtime: takes a bundle and makes a process of it. It knows nothing of images or scripts.

pub mod bundle;
pub mod capability;
pub mod cgroup;
pub mod control;
mod device_nodes;
pub mod exec;
pub mod external;
pub mod health;
pub mod hooks;
pub mod init;
pub mod launch;
mod masks;
mod mounts;
pub mod namespaces;
pub mod network;
mod no_pivot;
pub mod overlay;
pub mod program;
mod reaper;
pub mod report;
pub mod rootfs;
pub mod seccomp;
pub mod spec;
pub mod state;
pub mod terminal;
pub mod unattended;
pub mod user;
