//! `ARG`: what arguments are given, which scopes they are in, and what variables mean.

use super::graph::Graph;
use crate::build::session::Session;
use crate::context::Context;
use crate::dockerfile::{Dockerfile, Expander, Kind, locate};
use crate::error::Result;
use crate::model::{DockerfileSource, Platform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Known to every build without `ARG`, and neither in the history nor in what the cache depends on (Dockerfile reference,
/// "Predefined ARGs").
pub const PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Given to a build for its times, also without `ARG`.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The arguments of a build.
pub struct Arguments<'f> {
    given: &'f BTreeMap<String, String>,
    /// Before the first `FROM`.
    global: BTreeMap<String, Option<String>>,
    platform: BTreeMap<&'static str, String>,
    used: Mutex<BTreeSet<String>>,
    expander: Expander,
}

/// The arguments of a stage, in the order in which they came.
#[derive(Clone, Default)]
pub struct Scope(Vec<(String, Option<String>)>);

impl<'f> Arguments<'f> {
    /// Those that are given, and those before the first `FROM`.
    pub fn new(session: &Session<'_>, source: &'f DockerfileSource, file: &Dockerfile, graph: &Graph) -> Result<Self> {
        let mut platform = BTreeMap::new();
        let names = |prefix: usize| {
            [
                ["TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT"],
                ["BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"],
            ][prefix]
        };
        for (prefix, of) in [session.platform(), Platform::host()].into_iter().enumerate() {
            let [whole, os, architecture, variant] = names(prefix);
            platform.insert(whole, of.to_string());
            platform.insert(os, of.os);
            platform.insert(architecture, of.architecture);
            platform.insert(variant, of.variant.unwrap_or_default());
        }
        let stage = &file.stages[graph.target];
        platform.insert("TARGETSTAGE", stage.name.clone().unwrap_or_else(|| graph.target.to_string()));
        let mut arguments = Self {
            given: &source.args,
            global: BTreeMap::new(),
            platform,
            used: Mutex::default(),
            expander: Expander::new(file.escape),
        };
        for instruction in &file.args {
            let Kind::Arg(args) = &instruction.kind else { continue };
            for (name, default) in args {
                let value = arguments
                    .value(name, default.as_deref(), &|name| arguments.global_value(name))
                    .map_err(|error| locate(&file.name, &file.text, instruction.span, error))?;
                arguments.global.insert(name.clone(), value);
            }
        }
        Ok(arguments)
    }

    /// Reads words of the file.
    pub fn expander(&self) -> &Expander {
        &self.expander
    }

    /// What a name means in `FROM`.
    pub fn global_value(&self, name: &str) -> Option<String> {
        self.global.get(name).cloned().flatten().or_else(|| self.platform.get(name).cloned())
    }

    /// Declares an argument in a scope. Gives the value that is its own: given, or its default.
    pub fn declare(
        &self,
        scope: &mut Scope,
        name: &str,
        default: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>> {
        let own = self.value(name, default, env)?;
        let value = own.clone().or_else(|| self.global_value(name));
        scope.0.retain(|(known, _)| known != name);
        scope.0.push((name.to_owned(), value));
        Ok(own)
    }

    /// Proxies that are given.
    pub fn proxies(&self) -> Vec<(String, String)> {
        let given = |name: &&str| self.given.get(*name).map(|value| ((*name).to_owned(), value.clone()));
        PROXIES.iter().filter_map(given).collect()
    }

    /// Tells of what was given and nobody asked for.
    pub fn warn_of_unused(&self, cx: &Context) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |name: &str| used.contains(name) || PROXIES.contains(&name) || name == EPOCH;
        let unused: Vec<_> = self.given.keys().filter(|name| !known(name)).map(|name| format!("`{name}`")).collect();
        if !unused.is_empty() {
            cx.progress.warn(&format!("no stage that was built has an ARG for {}", unused.join(", ")));
        }
    }

    fn value(&self, name: &str, default: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
        if let Some(given) = self.given.get(name) {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
            return Ok(Some(given.clone()));
        }
        default.map(|default| Ok(self.expander.word(default, env)?.text)).transpose()
    }
}

impl Scope {
    /// What a name means.
    pub fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone())
    }

    /// Those that have a value.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.0.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
    }
}
