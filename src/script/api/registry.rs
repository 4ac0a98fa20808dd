//! `registry(host)`: who we are there, and what it has.

use crate::error::{Error, Result};
use crate::script::binding::{Call, Object, api};

/// A registry of images.
#[derive(Clone, Object)]
pub struct Registry {
    host: String,
}

/// A registry by its host and port; nothing is asked of it yet. `docker.io` is Docker Hub.
///
/// # Example
/// let hub = registry("docker.io");
///
/// # Errors
/// `invalid` for what is no host.
#[api]
pub fn registry(host: String) -> Result<Registry> {
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        _ => host,
    };
    if host.is_empty() || host.contains(|c: char| c == '/' || c == '@' || c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(format!("`{}` is not a registry", host.escape_debug()))
            .hint("write it as `host` or `host:port`, without `https://`"));
    }
    Ok(Registry { host })
}

#[api]
impl Registry {
    /// Its host and port.
    #[get(column)]
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// Asks it whether it accepts the user and the password, and keeps them where Docker keeps them: in the credential
    /// helper that `~/.docker/config.json` names, else in that file (`$DOCKER_CONFIG`, `$REGISTRY_AUTH_FILE`), which
    /// nobody else can read. Gives the registry.
    ///
    /// # Example (engine)
    /// registry("registry.example").login("me", env("PASSWORD"));
    ///
    /// # Errors
    /// `unauthorized` when it refuses them, `network`.
    pub fn login(&self, call: &Call, user: String, password: String) -> Result<Registry> {
        call.engine()?.login(&call.context(), &self.host, &user, &password)?;
        Ok(self.clone())
    }

    /// Forgets the user and the password; gives whether there were any.
    ///
    /// # Example (engine)
    /// registry("registry.example").logout();
    pub fn logout(&self, call: &Call) -> Result<bool> {
        call.engine()?.logout(&call.context(), &self.host)
    }

    /// The tags of a repository.
    ///
    /// # Example (engine)
    /// for tag in registry("docker.io").tags("library/node") { print(tag) }
    ///
    /// # Errors
    /// `not_found` when it has no such repository, `unauthorized`, `denied`, `network`.
    pub fn tags(&self, call: &Call, repository: String) -> Result<Vec<String>> {
        call.engine()?.tags(&call.context(), &self.host, &repository)
    }

    /// All its repositories; many public registries do not tell.
    ///
    /// # Example (engine)
    /// registry("127.0.0.1:5000").repositories();
    ///
    /// # Errors
    /// `unauthorized`, `denied` or `not_found` when it does not tell, `network`.
    pub fn repositories(&self, call: &Call) -> Result<Vec<String>> {
        call.engine()?.repositories(&call.context(), &self.host)
    }
}
