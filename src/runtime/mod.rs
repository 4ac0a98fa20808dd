//! An OCI runtime: takes a bundle and makes a process of it. It knows nothing of images or scripts.

pub mod control;
pub mod launch;
pub mod network;
pub mod overlay;
pub mod state;
