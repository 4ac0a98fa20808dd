//! How containers come by their images.

use super::NativeEngine;
use crate::context::Context;
use crate::engine::PullPolicy;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{self, RunnableImage};
use crate::model::{ContainerSpec, ImageInfo, Platform, Reference};
use crate::registry::{Client, Configuration, Options};
use crate::store::scopes::{self, ItemKind};

impl NativeEngine {
    pub(super) fn pull_image(&self, cx: &Context, reference: &str, platform: Option<&Platform>) -> Result<ImageInfo> {
        let reference: Reference = reference.parse()?;
        let wanted = platform.cloned().unwrap_or_else(Platform::host);
        let id = image::pull(&self.store, self.client()?, &reference, &wanted, cx)?;
        let info = image::info(&self.store, &id)?;
        if (&info.platform.os, &info.platform.architecture) != (&wanted.os, &wanted.architecture) {
            cx.progress.warn(&format!("`{reference}` is for {}, not for {wanted}", info.platform));
        }
        Ok(info)
    }

    /// Calls `make` with the spec's image, pulled as the policy says.
    pub(super) fn with_image<T>(
        &self,
        cx: &Context,
        spec: &ContainerSpec,
        pull: PullPolicy,
        mut make: impl FnMut(&RunnableImage) -> Result<T>,
    ) -> Result<T> {
        match pull {
            PullPolicy::Always => {
                // A pull of what is here already transfers its manifest only.
                self.pull_image(cx, &spec.image, spec.platform.as_ref())?;
            }
            PullPolicy::Newer => self.pull_newer(cx, spec)?,
            PullPolicy::Missing | PullPolicy::Never => {}
        }
        match self.prepared(spec) {
            Ok(image) => make(&image),
            Err(error) if error.is(ErrorKind::NotFound) && pull != PullPolicy::Never => {
                self.pull_missing(cx, spec, error)?;
                make(&self.prepared(spec)?)
            }
            Err(error) => Err(error),
        }
    }

    /// Pulls when the registry has another digest. A registry that does not answer is no reason not to use what is here.
    fn pull_newer(&self, cx: &Context, spec: &ContainerSpec) -> Result<()> {
        let reference: Reference = spec.image.parse()?;
        let here = match self.prepared(spec) {
            Ok(image) => image::info(&self.store, &image.id)?,
            Err(error) if error.is(ErrorKind::NotFound) => return self.pull_missing(cx, spec, error),
            Err(error) => return Err(error),
        };
        match self.client()?.digest(cx, &reference) {
            Ok(digest) if here.repo_digests.contains(&reference.at(digest.clone()).to_string()) => Ok(()),
            Ok(_) => self.pull_image(cx, &spec.image, spec.platform.as_ref()).map(drop),
            Err(error) if error.is(ErrorKind::Cancelled) => Err(error),
            Err(error) => {
                cx.progress.warn(&format!("`{reference}` may be old: {}", error.message()));
                Ok(())
            }
        }
    }

    /// The image of the store, if it is for the platform that is asked for.
    fn prepared(&self, spec: &ContainerSpec) -> Result<RunnableImage> {
        let image = image::prepare(&self.store, &spec.image)?;
        let found = (image.config.os().to_string(), image.config.architecture().to_string());
        match &spec.platform {
            Some(wanted) if (&wanted.os, &wanted.architecture) != (&found.0, &found.1) => Err(Error::not_found(
                format!("image `{}` is here for {}/{}, not for {wanted}", spec.image, found.0, found.1),
            )
            .hint("leave `platform` out, or take an image that is made for it")),
            _ => Ok(image),
        }
    }

    fn pull_missing(&self, cx: &Context, spec: &ContainerSpec, missing: Error) -> Result<()> {
        if spec.image.parse::<Reference>().is_err() {
            return Err(missing);
        }
        self.pull_image(cx, &spec.image, spec.platform.as_ref()).map(drop)
    }

    /// An image that was built or tagged in a scope goes with it; one that was pulled stays.
    pub(super) fn own_image(&self, cx: &Context, name: &str) -> Result<()> {
        let Some(scope) = &cx.scope else { return Ok(()) };
        let name = name.parse::<Reference>()?.canonical();
        self.store.write(|tx| scopes::own(tx, scope, ItemKind::Image, &name))
    }

    /// Made when it is needed first: its configuration may be broken without harm to those who pull nothing.
    pub(super) fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let configuration = Configuration::of_the_environment()?;
        Ok(self.client.get_or_init(|| Client::new(Options { configuration, ..Options::default() })))
    }
}
