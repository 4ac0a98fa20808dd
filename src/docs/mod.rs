//! The reference, written from the catalogue of script functions, and its examples.

mod examples;
mod reference;

pub use examples::{Example, examples};
pub use reference::reference;
