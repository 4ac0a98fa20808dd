//! Registries for tests: Debian's `docker-registry`, and one that misbehaves as told.

mod faulty;
mod image;
mod proxy;
mod real;

pub use faulty::{Fault, FaultyRegistry, Login};
pub use image::{Image, tar_of};
pub use proxy::Proxy;
pub use real::{Certificate, Registry};
