//! `shanty oci`: its command line by itself, and below Docker's engine and Podman.

mod bundle;
mod docker;
mod engine;
mod hooks;
mod life;
mod limits;
mod podman;
mod process;
mod userns;
