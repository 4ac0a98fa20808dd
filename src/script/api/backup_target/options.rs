//! How to get to a place, and who can read what is there.

use crate::script::api::values::OneOrMany;
use crate::script::binding::Options;

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
