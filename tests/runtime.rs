//! Containers made by the runtime: what a program sees, what it may do, how it ends.

pub mod sandbox;

mod confinement;
mod exits;
mod image_paths;
mod process;
