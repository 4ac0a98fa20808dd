//! What some options of `run` mean beyond their types.

use super::values::{OneOrMany, absolute};
use crate::error::{Error, IoContext, Result};
use crate::model::{SeccompProfile, UserSpec};
use std::net::IpAddr;
use std::path::Path;

/// `network: "x"` is one of `networks: ["x"]`.
pub(super) fn networks(network: Option<String>, networks: Vec<String>) -> Result<Vec<String>> {
    let all: Vec<String> = network.into_iter().chain(networks).collect();
    let alone = |name: &String| matches!(name.as_str(), "none" | "host") || name.starts_with("container:");
    if let (Some(name), true) = (all.iter().find(|name| alone(name)), all.len() > 1) {
        return Err(Error::invalid(format!("the network `{name}` cannot be combined with others")));
    }
    Ok(all)
}

/// Name servers.
pub(super) fn addresses(texts: &[String]) -> Result<Vec<IpAddr>> {
    let address = |text: &String| {
        let invalid = || Error::invalid(format!("`{text}` is not the address of a name server"));
        text.trim().parse().map_err(|_| invalid().hint("write it as `192.0.2.53`"))
    };
    texts.iter().map(address).collect()
}

/// A user that can be looked up.
pub(super) fn user(OneOrMany(texts): OneOrMany) -> Result<String> {
    let text = texts.concat();
    text.parse::<UserSpec>()?;
    Ok(text)
}

/// A number of processors.
pub(super) fn positive(cpus: f64) -> Result<f64> {
    if cpus.is_finite() && cpus >= 0.0 {
        Ok(cpus)
    } else {
        Err(Error::invalid(format!("`{cpus}` is not a number of processors")).hint("write it as `cpus: 1.5`"))
    }
}

/// The text of the file, as Docker keeps it: the container outlives it.
pub(super) fn seccomp(profile: String, folder: &Path) -> Result<String> {
    if matches!(profile.as_str(), "unconfined" | "default" | "builtin") {
        return Ok(profile);
    }
    let path = absolute(folder, &profile);
    let text = std::fs::read_to_string(&path).doing(|| format!("cannot read the system call filter `{profile}`"))?;
    SeccompProfile::parse(&profile, &text)?;
    Ok(text)
}

/// A runtime by name stays as it is; a path starts at the script's folder.
pub(super) fn runtime_program(runtime: String, folder: &Path) -> String {
    if runtime.contains('/') { absolute(folder, &runtime).to_string_lossy().into_owned() } else { runtime }
}
