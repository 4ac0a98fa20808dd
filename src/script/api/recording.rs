//! What a unit test's engine was asked, and what it answers.

use crate::engine::BuildSpec;
use crate::model::{ContainerSpec, ExecSpec, RunOutput, Status};
use std::collections::VecDeque;

/// What was asked, and what is answered.
#[derive(Default)]
pub struct Recording {
    /// One line a call.
    pub calls: Vec<String>,
    /// Specs of `run`, `create` and `run_once`.
    pub specs: Vec<ContainerSpec>,
    /// Specs of `build`.
    pub builds: Vec<BuildSpec>,
    /// Specs of `exec`.
    pub execs: Vec<ExecSpec>,
    /// States of the container `web`, one for each look; the last one stays.
    pub states: VecDeque<(Status, Option<i32>)>,
    /// Its log, all on standard output.
    pub log: Vec<&'static str>,
    /// What commands leave behind.
    pub output: RunOutput,
    /// Commands cannot be executed.
    pub not_executed: bool,
    /// Commands do not end.
    pub hangs: bool,
    /// How many times a port is closed before it is open.
    pub closed: u32,
}
