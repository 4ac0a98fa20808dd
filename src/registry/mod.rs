//! The registry protocol: what is pulled, from where, with which credentials.
//!
//! Written over reqwest rather than on `oci-client`, whose blob streams are not verified while they
//! arrive and do not go on after a broken connection, so the larger half of this module would be needed beside it.
//!
//! [`Client`] is the way in. It is synchronous: its futures run on the process's one runtime
//! ([`crate::sys::async_runtime`]), and a blob is read through [`BlobStream`]. Everything that a
//! registry sends is hostile input: bounded in size and count, and verified against its digest.

mod auth;
mod backoff;
mod blob;
mod bounded;
mod challenge;
mod client;
mod credentials;
mod endpoint;
mod failure;
mod http;
mod index;
mod manifest;
mod options;
mod refusal;
mod resolve;
mod tags;
mod transport;

pub use blob::{BlobStream, Received};
pub use client::Client;
pub use credentials::{AuthFile, Credential, CredentialProvider, NoCredentials, Secret};
pub use options::{Options, Retry};
pub use resolve::{Document, Resolved};
