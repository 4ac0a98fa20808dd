//! The synchronous face of the registry protocol.

use super::blob::{self, BlobStream, Received};
use super::credentials::{Credential, CredentialProvider, Secret};
use super::options::Options;
use super::publish;
use super::resolve::{self, Resolved};
use super::subject::Access;
use super::tags;
use super::transport::{Ask, Transport};
use super::upload::{self, Upload};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::sys::async_runtime::block_on;
use std::sync::Arc;

/// Talks to any number of registries; keeps connections and tokens. Clones share both, and may be
/// used from several threads at once.
#[derive(Clone)]
pub struct Client(Arc<Transport>);

impl Client {
    /// A client that has not talked to anybody yet. No I/O.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Transport::new(options)))
    }

    /// Finds the manifest for a platform. Its bytes are verified: against the reference's digest,
    /// or else against the one that the registry names.
    ///
    /// Fails with `not_found` (repository, tag, or no image for the platform), `unauthorized`,
    /// `denied`, `network`, `corrupt`, and `unsupported` for what is no container image.
    pub fn resolve(&self, cx: &Context, reference: &Reference, platform: &Platform) -> Result<Resolved> {
        block_on(&cx.cancel, resolve::resolve(&self.0, reference, platform))
            .map_err(|error| error.context(format!("cannot resolve `{reference}`")))
    }

    /// What the registry has under the reference now: compare with [`Resolved::digest`] to see
    /// whether there is something newer. Costs one small request.
    pub fn digest(&self, cx: &Context, reference: &Reference) -> Result<Digest> {
        block_on(&cx.cancel, resolve::digest(&self.0, reference))
            .map_err(|error| error.context(format!("cannot resolve `{reference}`")))
    }

    /// Starts to fetch a config or a layer of the reference's repository. Comes back at once; failures show
    /// when it is read. Progress is reported under the digest's first 12 digits.
    pub fn blob(&self, cx: &Context, reference: &Reference, blob: &Descriptor) -> Result<BlobStream> {
        self.blob_after(cx, reference, blob, Received::nothing())
    }

    /// The same, from where an earlier process stopped: the stream gives what comes after `received`,
    /// and the digest is verified over both.
    pub fn blob_after(
        &self,
        cx: &Context,
        reference: &Reference,
        blob: &Descriptor,
        received: Received,
    ) -> Result<BlobStream> {
        let sources = self.0.sources(reference)?;
        blob::start(self.0.clone(), cx, sources, blob, received)
    }

    /// All tags of the reference's repository, in the registry's order.
    pub fn tags(&self, cx: &Context, reference: &Reference) -> Result<Vec<String>> {
        block_on(&cx.cancel, tags::list(&self.0, reference))
            .map_err(|error| error.context(format!("cannot list the tags of `{}`", reference.familiar_name())))
    }

    /// All repositories of a registry, in its order; `denied` or `not_found` where it does not tell.
    pub fn repositories(&self, cx: &Context, registry: &str) -> Result<Vec<String>> {
        block_on(&cx.cancel, tags::repositories(&self.0, registry))
    }

    /// Sends a blob to the reference's repository, unless it is there. Blobs of other repositories of the same registry
    /// (`from`) are mounted rather than sent. Whether it had to be sent. Progress is reported under the digest's
    /// first 12 digits.
    ///
    /// Fails with `unauthorized`, `denied`, `network`, `timeout`.
    pub fn push_blob(&self, cx: &Context, reference: &Reference, upload: &Upload) -> Result<bool> {
        block_on(&cx.cancel, upload::run(&self.0, cx, reference, upload))
    }

    /// Puts a manifest there, under the reference's tag or digest; what it names has to be there.
    pub fn push_manifest(
        &self,
        cx: &Context,
        reference: &Reference,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Digest> {
        block_on(&cx.cancel, publish::manifest(&self.0, reference, media_type, bytes.into()))
    }

    /// Asks a registry whether it accepts these credentials, and uses none that were accepted before from now on.
    ///
    /// Fails with `unauthorized` when it does not.
    pub fn check_login(&self, cx: &Context, registry: &str, user: &str, password: &Secret) -> Result<()> {
        let credentials = Arc::new(Given(Credential::Basic { user: user.to_owned(), password: password.clone() }));
        let checking = Self::new(Options { credentials, ..self.0.options.clone() });
        self.0.forget(registry);
        checking.ping(cx, registry).map_err(|error| match error.kind() {
            ErrorKind::Unauthorized => {
                Error::new(ErrorKind::Unauthorized, format!("registry `{registry}` refused the user and the password"))
                    .hint("check both; many registries want an access token in place of the password")
            }
            _ => error,
        })
    }

    /// Uses no credentials and tokens any more that the registry accepted before.
    pub fn forget(&self, registry: &str) {
        self.0.forget(registry);
    }

    /// Asks whether a registry (`docker.io`, `127.0.0.1:5000`) is there and accepts our credentials.
    pub fn ping(&self, cx: &Context, registry: &str) -> Result<()> {
        let subject = self.0.options.configuration.registry(registry, Access::Pull)?;
        let ask = Ask::get(&subject, "v2/".into(), "its API".into());
        block_on(&cx.cancel, self.0.ask(&ask)).map(drop)
    }
}

/// The same for everybody who asks.
struct Given(Credential);

impl CredentialProvider for Given {
    fn credential(&self, _registry: &str, _repository: &str) -> Result<Option<Credential>> {
        Ok(Some(self.0.clone()))
    }
}
