//! The Rhai host: the engine set-up, the binding layer, and what scripts can call.

pub mod api;
pub mod binding;
mod host;
mod session;

pub use host::Host;
pub use session::{OpenEngine, Print, Session, Settings};
