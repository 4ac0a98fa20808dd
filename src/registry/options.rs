//! How a client behaves: times, retries, credentials, and which registries need no TLS.

use super::auth_file::AuthFile;
use super::configuration::Configuration;
use super::credentials::CredentialProvider;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a [`super::Client`].
#[derive(Clone)]
pub struct Options {
    /// Registries (`host` or `host:port`, as in references) that are spoken to without TLS.
    /// Loopback addresses need not be named.
    pub insecure: Vec<String>,
    /// Mirrors, blocked registries, and those without TLS.
    pub configuration: Configuration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a registry may send nothing, before its headers or in the middle of a body.
    pub stall_timeout: Duration,
    /// What to do about failures that may pass.
    pub retry: Retry,
    /// Who knows the credentials of a registry.
    pub credentials: Arc<dyn CredentialProvider>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            configuration: Configuration::default(),
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(30),
            retry: Retry::default(),
            credentials: Arc::new(AuthFile::of_the_environment()),
        }
    }
}

/// Exponential backoff with jitter, for 429, 5xx and broken connections.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Tries in total, the first one included.
    pub attempts: u32,
    /// The wait before the second try; doubled before each further one.
    pub base: Duration,
    /// The longest wait of our own choice.
    pub max: Duration,
    /// The longest wait that a registry may ask for (`Retry-After`); when it asks for more, we give up.
    pub max_asked: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(250),
            max: Duration::from_secs(8),
            max_asked: Duration::from_secs(60),
        }
    }
}
