//! `http::`: requests, and a small server.

mod request;
mod response;
mod serve;
mod stream;

pub use request::{address, client};
pub use stream::stream;
