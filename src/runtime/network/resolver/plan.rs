//! What a container looks names up in.

use super::replaced::replace;
use crate::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a container looks names up in. The monitor writes it to a file, and the serving process notices when that has
/// been replaced: a container that joins another network finds its names at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResolverPlan {
    /// The networks that it is in; where several know a name, the first has the answer.
    pub networks: Vec<ResolverNetwork>,
    /// Whom to ask for everything else; empty: the host's servers.
    pub servers: Vec<IpAddr>,
    /// Whether to ask them at all: not for a container that is in internal networks only, which is told that the
    /// server failed, as Docker tells it.
    pub forwards: bool,
    /// Fixed names such as `host.docker.internal`, which go before those of containers.
    pub hosts: Vec<(String, IpAddr)>,
}

/// A network whose names a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverNetwork {
    /// What it is called: its containers have the names `NAME` and `NAME.network`.
    pub name: String,
    /// Its file of names ([`super::names`]).
    pub names: PathBuf,
}

impl ResolverPlan {
    /// Replaces the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let doing = || format!("cannot write `{}`", path.display());
        let text = serde_json::to_vec(self).map_err(|error| Error::invalid(format!("{}: {error}", doing())))?;
        replace(path, &text).doing(doing)
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).doing(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::corrupt(format!("`{}` is no plan of a resolver: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolver.json");
        let plan = ResolverPlan {
            networks: vec![ResolverNetwork { name: "backend".into(), names: "/run/names.json".into() }],
            servers: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            forwards: true,
            hosts: vec![("host.docker.internal".into(), "172.20.0.1".parse().unwrap())],
        };
        plan.write(&path).unwrap();
        ResolverPlan::default().write(&path).unwrap();
        plan.write(&path).unwrap();
        assert_eq!(ResolverPlan::read(&path).unwrap(), plan);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
