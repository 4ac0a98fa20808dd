//! What a build takes from elsewhere: files by their address, git repositories.

pub mod git;
mod http;

pub use http::{download, is_http};
