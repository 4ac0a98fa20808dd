//! `http::`: requests, and a small server.

mod request;
mod response;
mod serve;
