//! What all builds take, from Dockerfiles and from steps.

use super::call::epoch_of;
use super::values::{BuildArgs, CacheReferences, Contexts, NoCacheOption, OutputOption, Secrets, Ssh};
use crate::engine::{BuildSource, BuildSpec};
use crate::error::{Error, Result};
use crate::model::Reference;
use crate::script::api::values::{ExtraHosts, Labels, OneOrMany};
use crate::script::binding::{Call, Options};

/// What belongs to a Dockerfile.
#[derive(Default, Options)]
pub struct ContextOptions {
    /// Values of `ARG`: a map or `["NAME=value"]`; a name alone takes the value of the environment.
    #[option(alias = "build_args", alias = "buildargs")]
    pub args: BuildArgs,
    /// What names mean in `FROM`, `COPY --from` and `RUN --mount=from=`: a folder, `docker-image://REF`, an image, an address.
    #[option(alias = "build_contexts", alias = "additional_contexts")]
    pub contexts: Contexts,
}

/// What all builds take.
#[derive(Default, Options)]
pub struct BuildOptions {
    /// Name of the image, or several.
    #[option(alias = "tags")]
    pub tag: OneOrMany,
    /// Labels of the image: a map or `["key=value"]`.
    pub labels: Labels,
    /// Platform of the image, `linux/arm64`; this machine's without it. Commands of another one need an emulator.
    pub platform: Option<String>,
    /// What `RUN --mount=type=secret` may have: `#{ npm: "./token" }`, `#{ npm: #{ env: "NPM_TOKEN" } }`, `["id=npm,src=./token"]`.
    #[option(alias = "secret")]
    pub secrets: Secrets,
    /// Agents that `RUN --mount=type=ssh` may have: `true` or `"default"` for that of the environment, `#{ id: "/path/of/socket" }`.
    pub ssh: Ssh,
    /// Do all steps anew, or those of some stages.
    #[option(alias = "nocache")]
    pub no_cache: NoCacheOption,
    /// Ask the registry for base images that are here, too.
    pub pull: bool,
    /// Network of commands: `none`, `host` or a name.
    pub network: Option<String>,
    /// Lines of `/etc/hosts` for commands.
    #[option(alias = "add_hosts", alias = "extrahosts")]
    pub extra_hosts: ExtraHosts,
    /// Writes the files of the result, too: into a folder, or into a tar (`"out.tar"`); relative to the script.
    pub output: Option<OutputOption>,
    /// Takes steps from the cache in a registry: a reference, or several.
    pub cache_from: CacheReferences,
    /// Sends the cache there: a reference, or several.
    pub cache_to: CacheReferences,
    /// What steps may do besides: `"network.host"`, `"security.insecure"`.
    pub allow: OneOrMany,
}

const ENTITLEMENTS: [&str; 2] = ["network.host", "security.insecure"];

impl BuildOptions {
    /// As the engine takes it. Paths are relative to the script.
    pub fn into_spec(self, call: &Call<'_>, source: BuildSource) -> Result<BuildSpec> {
        let folder = call.session().folder();
        for tag in &self.tag.0 {
            let name = tag.parse::<Reference>()?;
            if name.digest().is_some() {
                return Err(Error::invalid(format!("`{tag}` has a digest, which a name cannot choose"))
                    .hint("write it as `name:tag`"));
            }
        }
        if let Some(unknown) = self.allow.0.iter().find(|name| !ENTITLEMENTS.contains(&name.as_str())) {
            return Err(Error::invalid(format!("`{unknown}` is nothing that a build can be allowed"))
                .hint(format!("it is one of {}", ENTITLEMENTS.join(", "))));
        }
        let mut spec = BuildSpec {
            source,
            tags: self.tag.0,
            labels: self.labels.0.into_iter().collect(),
            platform: self.platform.map(|platform| platform.parse()).transpose()?,
            secrets: self.secrets.into_sources(folder),
            ssh: self.ssh.into_sockets(folder)?,
            no_cache: self.no_cache.0,
            pull: self.pull,
            network: self.network,
            extra_hosts: self.extra_hosts.0,
            output: self.output.map(|output| output.into_output(folder)).transpose()?,
            cache_from: self.cache_from.0,
            cache_to: self.cache_to.0,
            allow: self.allow.0,
            epoch: None,
        };
        let given = epoch_of(&spec).map(str::to_owned).or_else(|| std::env::var("SOURCE_DATE_EPOCH").ok());
        spec.epoch = given.filter(|text| !text.is_empty()).map(|text| seconds(&text)).transpose()?;
        Ok(spec)
    }
}

fn seconds(text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| {
        Error::invalid(format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds"))
            .hint("take the time of the last commit: `git log -1 --format=%ct`")
    })
}
