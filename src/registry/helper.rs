//! Credential helpers: the programs `docker-credential-NAME` that keep passwords elsewhere than in a file.

use super::credentials::{Credential, Secret};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::privilege;
use serde::Deserialize;
use std::io::Write as _;
use std::process::Stdio;

/// The user of an entry that holds an identity token.
const TOKEN_USER: &str = "<token>";
/// Of a helper's own words, so many are passed on.
const MAX_QUOTE: usize = 200;

/// One that the configuration names.
pub(super) struct Helper<'a>(pub(super) &'a str);

impl Helper<'_> {
    /// What it keeps for the server, if anything.
    pub(super) fn get(&self, server: &str) -> Result<Option<Credential>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            username: String,
            secret: String,
        }
        let (success, output) = self.run("get", server.as_bytes())?;
        if !success {
            return if is_not_found(&output) { Ok(None) } else { Err(self.failed("get", &output)) };
        }
        // The reason would quote the secret.
        let answer: Answer =
            serde_json::from_slice(&output).map_err(|_| self.error("did not answer with a credential"))?;
        let secret = Secret::new(answer.secret);
        Ok(Some(match answer.username.as_str() {
            TOKEN_USER => Credential::IdentityToken(secret),
            _ => Credential::Basic { user: answer.username, password: secret },
        }))
    }

    pub(super) fn store(&self, server: &str, user: &str, password: &Secret) -> Result<()> {
        let input = serde_json::json!({ "ServerURL": server, "Username": user, "Secret": password.expose() });
        let (success, _) = self.run("store", input.to_string().as_bytes())?;
        // Its words may hold what it was given.
        if success { Ok(()) } else { Err(self.error("could not store the credentials")) }
    }

    /// Whether there was something to forget.
    pub(super) fn erase(&self, server: &str) -> Result<bool> {
        let known = self.get(server)?.is_some();
        let (success, output) = self.run("erase", server.as_bytes())?;
        if success || is_not_found(&output) { Ok(known) } else { Err(self.failed("erase", &output)) }
    }

    fn run(&self, action: &str, input: &[u8]) -> Result<(bool, Vec<u8>)> {
        if !self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(Error::invalid(format!("`{}` is not the name of a credential helper", self.0.escape_debug())));
        }
        let program = format!("docker-credential-{}", self.0);
        let mut command = privilege::program(&program);
        command.arg(action).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            // With a folder of `PATH` that cannot be entered, the kernel does not say that there is none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound || !privilege::is_installed(&program) => {
                return Err(Error::new(
                    ErrorKind::Unauthorized,
                    format!("the credential helper `{program}` is not here"),
                )
                .hint("install it, or take `credsStore` and `credHelpers` out of `~/.docker/config.json`"));
            }
            Err(error) => return Err(error).doing(|| format!("cannot execute `{program}`")),
        };
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read its input says why on its output.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().doing(|| format!("cannot read what `{program}` says"))?;
        Ok((output.status.success(), output.stdout))
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unauthorized, format!("the credential helper `docker-credential-{}` {what}", self.0))
    }

    fn failed(&self, action: &str, output: &[u8]) -> Error {
        let text = String::from_utf8_lossy(output);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX_QUOTE).collect();
        self.error(&format!("failed to {action}: {text}"))
    }
}

/// What docker-credential-helpers say when there is nothing.
fn is_not_found(output: &[u8]) -> bool {
    String::from_utf8_lossy(output).contains("credentials not found")
}
