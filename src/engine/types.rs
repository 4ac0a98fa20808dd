//! What goes into and comes out of an [`super::Engine`].

use crate::model::Platform;
pub use crate::model::{
    BuildOutcome, BuildOutput, BuildPlan, BuildSource, BuildSpec, BuildStep, BuiltStep, CopyFrom, DockerfileSource,
    NoCache, SecretSource,
};

/// How `run` and `create` come by their image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Pull when it is not here: the default.
    #[default]
    Missing,
    /// Ask the registry each time.
    Always,
    /// Pull when the registry has another digest.
    Newer,
    /// Fail when it is not here.
    Never,
}

/// Options of a pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Platform to choose from an index; `None`: this machine's.
    pub platform: Option<Platform>,
}
