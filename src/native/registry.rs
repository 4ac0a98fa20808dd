//! Registries as a whole: who we are there, and what they have.

use super::NativeEngine;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Reference;
use crate::registry::{AuthFile, Secret};

impl NativeEngine {
    pub(super) fn log_in(&self, cx: &Context, registry: &str, user: &str, password: &str) -> Result<()> {
        let password = Secret::new(password);
        self.client()?.check_login(cx, registry, user, &password)?;
        AuthFile::of_the_environment().store(registry, user, &password, &cx.cancel)
    }

    pub(super) fn log_out(&self, cx: &Context, registry: &str) -> Result<bool> {
        self.client()?.forget(registry);
        AuthFile::of_the_environment().erase(registry, &cx.cancel)
    }

    pub(super) fn tags_of(&self, cx: &Context, registry: &str, repository: &str) -> Result<Vec<String>> {
        // A tag or a digest would be taken for a part of the name.
        let reference = match format!("{registry}/{repository}").parse::<Reference>() {
            Ok(reference) if !repository.contains([':', '@']) => reference,
            _ => {
                return Err(Error::invalid(format!("`{repository}` is not a repository"))
                    .hint("write it as `team/app`, without a registry, tag or digest"));
            }
        };
        if reference.registry() != registry {
            return Err(Error::invalid(format!(
                "`{registry}` is no registry in the names of images: `{registry}/{repository}` is a repository of `{}`",
                reference.registry()
            ))
            .hint(format!("write it with a dot or its port: `registry(\"{registry}:443\")`")));
        }
        self.client()?.tags(cx, &reference)
    }
}
