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
        let reference: Reference = format!("{registry}/{repository}").parse()?;
        // A tag or a digest would be taken for a part of the name, and a name without a dot for no registry.
        if reference.registry() != registry || repository.contains([':', '@']) {
            return Err(Error::invalid(format!("`{repository}` is not a repository")).hint("write it as `team/app`"));
        }
        self.client()?.tags(cx, &reference)
    }
}
