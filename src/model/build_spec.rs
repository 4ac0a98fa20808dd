//! What a build is asked for, and what it gives.

use super::{BuildPlan, Digest, Platform, SecretSource};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A build: from what, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildSpec {
    /// From what.
    pub source: BuildSource,
    /// Names for the result.
    pub tags: Vec<String>,
    /// Labels of the result, beside those of the steps.
    pub labels: BTreeMap<String, String>,
    /// Platform of the result; `None`: this machine's.
    pub platform: Option<Platform>,
    /// What `RUN --mount=type=secret,id=…` may have, by id.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Sockets of ssh agents that `RUN --mount=type=ssh,id=…` may have, by id.
    pub ssh: BTreeMap<String, PathBuf>,
    /// Steps that are done anew.
    pub no_cache: NoCache,
    /// Ask the registry for base images that are here, too.
    pub pull: bool,
    /// Network of commands: `default`, `none`, `host` or a name.
    pub network: Option<String>,
    /// Lines of `/etc/hosts` for commands.
    pub extra_hosts: Vec<(String, String)>,
    /// Where the files of the result go, beside the image.
    pub output: Option<BuildOutput>,
    /// References of caches to take from.
    pub cache_from: Vec<String>,
    /// References to send the cache to.
    pub cache_to: Vec<String>,
    /// What steps may do besides: `network.host`, `security.insecure`.
    pub allow: Vec<String>,
    /// Seconds since 1970 that every time in the result is (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
}

/// From what is built.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildSource {
    /// Steps of a script.
    Steps(BuildPlan),
    /// A Dockerfile.
    Dockerfile(DockerfileSource),
}

impl Default for BuildSource {
    fn default() -> Self {
        Self::Steps(BuildPlan::default())
    }
}

/// A Dockerfile and what it is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DockerfileSource {
    /// Absolute path of a folder, or the address of a git repository or of a tar.
    pub context: String,
    /// Path of the Dockerfile: absolute, or inside a context that is an address; `None`: `Dockerfile` of the context.
    pub file: Option<String>,
    /// The Dockerfile itself, instead of a file.
    pub text: Option<String>,
    /// Stage to build; `None`: the last one.
    pub target: Option<String>,
    /// Values of `ARG`.
    pub args: BTreeMap<String, String>,
    /// What names mean in `FROM`, `COPY --from` and `RUN --mount=from=`: a folder (absolute path), `docker-image://REF`, or an address.
    pub contexts: BTreeMap<String, String>,
}

/// Steps that are done anew, whatever the cache has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoCache {
    /// None.
    #[default]
    Never,
    /// All.
    All,
    /// Those of these stages.
    Stages(Vec<String>),
}

/// Where the files of a result go. Absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildOutput {
    /// Into a folder, which is made when it is missing.
    Folder(PathBuf),
    /// Into a tar.
    Tar(PathBuf),
}

/// What came of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildOutcome {
    /// The image.
    pub id: Digest,
    /// What was done, in the order in which it ended.
    pub steps: Vec<BuiltStep>,
}

/// A step that was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuiltStep {
    /// Stage, step and number as progress shows them: `[build 2/4] RUN npm install`.
    pub name: String,
    /// Stage, by name or number.
    pub stage: String,
    /// The step.
    pub step: String,
    /// Whether the cache had it.
    pub cached: bool,
    /// How long it took.
    pub duration: Duration,
    /// What its command wrote, both streams as they came.
    pub log: Vec<u8>,
}
