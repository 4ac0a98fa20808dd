//! Where backups go and come from: a file, standard input and output, a bucket that speaks S3, another host over ssh.
//!
//! What is written to a [`Destination`] is there once it is committed, whole; before, and after a failure, nothing of it
//! has the name that it will have.

mod encryption;
mod file;
mod folder;
mod item;
mod place;
mod s3;
mod ssh;

pub use place::Place;

use crate::error::Result;
use crate::script::api::values::OneOrMany;
use crate::script::binding::{Call, Options};
use std::io::{Read, Write};

/// Takes what is written to it.
pub trait Destination: Write + Send {
    /// Gives it its name. Dropped without this, there is nothing.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// How to get there, and who can read it: options of everything that takes a destination or a source.
#[derive(Clone, Default, Options)]
pub struct TargetOptions {
    /// S3: the server, such as `"http://127.0.0.1:9000"`; `AWS_ENDPOINT_URL`, else Amazon's.
    pub endpoint: Option<String>,
    /// S3: `AWS_REGION`, else `us-east-1`.
    pub region: Option<String>,
    /// S3: `AWS_ACCESS_KEY_ID`.
    pub access_key: Option<String>,
    /// S3: `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: Option<String>,
    /// S3: `AWS_SESSION_TOKEN`, for keys that end.
    pub session_token: Option<String>,
    /// S3: whether the bucket is in the path of URLs, not in the host; `true` with an `endpoint`.
    pub path_style: Option<bool>,
    /// ssh: further arguments of the `ssh` program: `["-i", "backup_key"]`.
    pub ssh_args: Vec<String>,
    /// Encrypts for whoever has the key of one of these: `"age1…"`.
    #[option(alias = "recipient")]
    pub recipients: OneOrMany,
    /// Encrypts, and decrypts, with a passphrase.
    pub passphrase: Option<String>,
    /// Decrypts: a file with `AGE-SECRET-KEY-1…`, or the key itself.
    #[option(alias = "identities")]
    pub identity: OneOrMany,
}

/// Starts to write what a place names, encrypted where the options ask for it.
pub fn create(call: &Call, to: Place, options: &TargetOptions) -> Result<Box<dyn Destination>> {
    encryption::encrypted(to.create(call)?, options)
}

/// Starts to read what a place names, decrypted when it is encrypted; `name` is what it is called in errors.
pub fn open(call: &Call, from: Place, name: &str, options: &TargetOptions) -> Result<Box<dyn Read + Send>> {
    encryption::decrypted(call, from.open(call)?, name, options)
}
