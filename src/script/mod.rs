//! The Rhai host: the engine set-up, the binding layer, and what scripts can call.

pub mod api;
pub mod binding;
mod clean_up;
mod host;
mod report;
mod resolver;
mod session;
mod source;

pub use clean_up::CleanUp;
pub use host::{Host, STACK_SIZE};
pub use report::Report;
pub use session::{OpenEngine, Print, Session, Settings, Warn};
pub use source::{Lexeme, Sources, lex};
