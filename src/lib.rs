//! Shanty, a container engine that you script.
//!
//! The map of the crate; an arrow means "may import", nothing points back, and a test checks it:
//!
//! - `main → cli → {repl, runner} → docs → script → engine`
//! - `cli → native → {engine, build}`
//! - `build → container → {image, network, volume} → {runtime, registry, store, archive, events} → privilege → sys → context → {model, error}`
//! - `{build, native, cli} → dockerfile → {model, error}`
//! - `main → {monitor, oci} → {runtime, events, privilege, sys}`

pub mod archive;
pub mod build;
pub mod cli;
pub mod container;
pub mod context;
pub mod dockerfile;
pub mod docs;
pub mod engine;
pub mod error;
pub mod events;
pub mod image;
pub mod model;
pub mod monitor;
pub mod native;
pub mod network;
pub mod oci;
pub mod privilege;
pub mod registry;
pub mod repl;
pub mod runner;
pub mod runtime;
pub mod script;
pub mod store;
pub mod sys;
pub mod volume;
