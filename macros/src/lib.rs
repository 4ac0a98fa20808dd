//! The binding macros of Shanty.
