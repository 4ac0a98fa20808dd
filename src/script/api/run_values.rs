//! What some options of `run` mean beyond their types.

use super::values::{OneOrMany, absolute, set_address};
use crate::error::{Error, IoContext, Result};
use crate::model::{NetworkAttachment, SeccompProfile, UserSpec};
use std::net::IpAddr;
use std::path::Path;

/// `network: "x"` is one of `networks: ["x"]`, the first; the other names are for all of them, addresses for the first.
pub(super) fn attachments(
    network: Option<String>,
    networks: Vec<NetworkAttachment>,
    aliases: &[String],
    addresses: &[String],
) -> Result<Vec<NetworkAttachment>> {
    let mut all: Vec<NetworkAttachment> = network.into_iter().map(NetworkAttachment::to).chain(networks).collect();
    if all.is_empty() && (!aliases.is_empty() || !addresses.is_empty()) {
        let option = if aliases.is_empty() { "ip" } else { "aliases" };
        return Err(Error::invalid(format!("`{option}` needs a network that was made with `create_network`"))
            .hint("say which one: `networks: [\"NAME\"]`"));
    }
    for attachment in &mut all {
        attachment.aliases.extend(aliases.iter().cloned());
    }
    if let Some(first) = all.first_mut() {
        addresses.iter().try_for_each(|text| set_address(first, text))?;
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
