//! What an image is: read from the store when it is asked for.

use super::Image;
use crate::error::{ErrorKind, Result};
use crate::script::binding::{Call, api};
use std::collections::BTreeMap;

#[api]
impl Image {
    /// Its names: `["node:18"]`.
    #[get(column, shown = crate::script::api::shown::names)]
    pub fn tags(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.tags.clone())
    }

    /// Id: the digest of its config, `sha256:…`.
    #[get(column, shown = crate::script::api::shown::id)]
    pub fn id(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.id.to_string())
    }

    /// When it was built; `()` when it does not say.
    #[get(column)]
    pub fn created(&self, call: &Call) -> Result<Option<jiff::Timestamp>> {
        Ok(self.info(call)?.created)
    }

    /// Bytes of all its layers, unpacked.
    #[get(column, shown = crate::script::api::shown::size)]
    pub fn size(&self, call: &Call) -> Result<u64> {
        Ok(self.info(call)?.size)
    }

    /// Digest of its manifest, `sha256:…`.
    #[get]
    pub fn digest(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.digest.to_string())
    }

    /// What it runs on: `linux/amd64`.
    #[get]
    pub fn platform(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.platform.to_string())
    }

    /// Its labels.
    #[get]
    pub fn labels(&self, call: &Call) -> Result<BTreeMap<String, String>> {
        Ok(self.info(call)?.labels.clone())
    }

    /// Environment of its containers: a map.
    #[get]
    pub fn env(&self, call: &Call) -> Result<BTreeMap<String, String>> {
        let info = self.info(call)?;
        let pair = |line: &String| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.to_owned(), value.to_owned())
        };
        Ok(info.env.iter().map(pair).collect())
    }

    /// Default arguments of its containers.
    #[get]
    pub fn cmd(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.cmd.clone())
    }

    /// Default program of its containers.
    #[get]
    pub fn entrypoint(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.entrypoint.clone())
    }

    /// Working directory of its containers.
    #[get]
    pub fn workdir(&self, call: &Call) -> Result<String> {
        let info = self.info(call)?;
        Ok(if info.workdir.is_empty() { "/".into() } else { info.workdir.clone() })
    }

    /// User of its containers; empty: root.
    #[get]
    pub fn user(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.user.clone())
    }

    /// Ports it says it listens on: `["80/tcp"]`.
    #[get]
    pub fn ports(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.ports.clone())
    }

    /// Digests of its unpacked layers, the bottom one first.
    #[get]
    pub fn layers(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.layers.iter().map(ToString::to_string).collect())
    }

    /// Whether it is here; `exists` without `()` is the same.
    ///
    /// # Example (engine)
    /// if !image("node:18").exists() { print("not pulled yet") }
    #[get(lazy, callable)]
    pub fn exists(&self, call: &Call) -> Result<bool> {
        match self.info(call) {
            Ok(_) => Ok(true),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
