//! The bodies of the fuzz targets, as cargo-fuzz takes them; the ordinary suite has them in `tests/fuzz.rs`.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::pedantic)]

pub mod bodies;
#[path = "../support/hostile_tars.rs"]
mod hostile_tars;
#[path = "../layers/tree.rs"]
mod tree;
