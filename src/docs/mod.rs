//! The reference, written from the catalogue of script functions.

mod reference;

pub use reference::reference;
