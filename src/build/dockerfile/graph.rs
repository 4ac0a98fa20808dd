//! Which stages the target needs.

use crate::dockerfile::{Dockerfile, Kind, Stage};
use crate::error::{Error, Result};
use crate::model::DockerfileSource;
use std::collections::BTreeSet;

/// The stages of a Dockerfile and what they need of each other.
pub struct Graph {
    /// The stage to build.
    pub target: usize,
    /// For each stage: those that it needs.
    needs: Vec<BTreeSet<usize>>,
}

impl Graph {
    /// Reads it off the file.
    ///
    /// # Errors
    /// `not_found` for a target that is not there, `invalid` for a file without stages.
    pub fn of(file: &Dockerfile, source: &DockerfileSource) -> Result<Self> {
        if file.stages.is_empty() {
            return Err(Error::invalid(format!("`{}` has no stage", file.name)).hint("begin it with `FROM image`"));
        }
        let target = match &source.target {
            None => file.stages.len() - 1,
            Some(name) => find(file, name, file.stages.len()).ok_or_else(|| unknown(file, name))?,
        };
        let needs = (0..file.stages.len()).map(|index| needs(file, source, index)).collect();
        Ok(Self { target, needs })
    }

    /// The stages that have to be built, in their order.
    pub fn needed(&self) -> Vec<usize> {
        let mut needed = BTreeSet::from([self.target]);
        let mut todo = vec![self.target];
        while let Some(stage) = todo.pop() {
            todo.extend(self.needs[stage].iter().filter(|stage| needed.insert(**stage)));
        }
        needed.into_iter().collect()
    }
}

/// The stage that a name means, whatever its case, or a number, to one that comes later: the last one of several.
pub fn find(file: &Dockerfile, name: &str, before: usize) -> Option<usize> {
    let is_named = |stage: &Stage| stage.name.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name));
    let by_name = file.stages[..before].iter().rposition(is_named);
    by_name.or_else(|| name.parse().ok().filter(|number| *number < before))
}

fn needs(file: &Dockerfile, source: &DockerfileSource, index: usize) -> BTreeSet<usize> {
    let stage = &file.stages[index];
    let mut needs = BTreeSet::new();
    let mut note = |name: &str| {
        if name.contains('$') {
            // What it means is known only when it is built: it may be any of them.
            needs.extend(0..index);
        } else if !source.contexts.contains_key(name) {
            needs.extend(find(file, name, index));
        }
    };
    let is_number = stage.from.image.parse::<usize>().is_ok();
    if !is_number {
        note(&stage.from.image);
    }
    for instruction in &stage.instructions {
        match &instruction.kind {
            Kind::Copy(copy) | Kind::Add(copy) => copy.from.iter().for_each(|name| note(name)),
            Kind::Run(run) => {
                for mount in &run.mounts {
                    mount.split(',').filter_map(|part| part.trim().strip_prefix("from=")).for_each(&mut note);
                }
            }
            _ => {}
        }
    }
    needs
}

fn unknown(file: &Dockerfile, name: &str) -> Error {
    let names: Vec<_> = file.stages.iter().filter_map(|stage| stage.name.clone()).collect();
    let hint = if names.is_empty() {
        "the file names no stage; leave `target` out".to_owned()
    } else {
        format!("its stages are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
    };
    Error::not_found(format!("`{}` has no stage `{name}`", file.name)).hint(hint)
}
