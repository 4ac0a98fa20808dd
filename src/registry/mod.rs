//! The registry protocol: what is pulled, from where, with which credentials.
//!
//! Written over reqwest rather than on `oci-client` (0.18 was looked at): that verifies whole blobs, but not
//! ones continued by range; it has no retries, reads manifests and error pages of any length into memory,
//! and brings chrono, regex, http-auth and a second base64. What is left to gain is less than this module.
//!
//! [`Client`] is the way in. It is synchronous: its futures run on the process's one runtime
//! ([`crate::sys::async_runtime`]), and a blob is read through [`BlobStream`]. Everything that a
//! registry sends is hostile input: bounded in size and count, and verified against its digest.

mod auth;
mod auth_file;
mod backoff;
mod blob;
mod body;
mod bounded;
mod certs;
mod challenge;
mod client;
mod configuration;
mod credentials;
mod endpoint;
mod failure;
mod helper;
mod http;
mod index;
mod manifest;
mod options;
mod publish;
mod refusal;
mod resolve;
mod subject;
mod tags;
mod transport;
mod upload;

pub use auth_file::AuthFile;
pub use blob::{BlobStream, Received};
pub use bounded::Bounded;
pub use client::Client;
pub use configuration::Configuration;
pub use credentials::{Credential, CredentialProvider, NoCredentials, Secret};
pub use index::{Entry as IndexEntry, Index};
pub use manifest::{ImageDocument, MAX_LAYERS, Parts, parts, read_document};
pub use options::{Options, Retry};
pub use resolve::{Document, Resolved};
pub use upload::Upload;
