//! `pause` and `resume`: all processes of a container stand still, and go on.

use super::container::{Container, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cgroup::Hierarchies;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long processes may take to stand still.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns when all of them stand still.
pub fn pause(root: &Path, id: &str) -> Result<()> {
    let container = Container::load(root, id)?;
    match container.status()? {
        Status::Running | Status::Created => {}
        status => return Err(Error::conflict(format!("container not running: `{id}` is {}", status.name()))),
    }
    let hierarchies = Hierarchies::discover()?;
    let group = container.group(&hierarchies);
    group.freeze()?;
    let until = Instant::now() + PATIENCE;
    while !group.is_frozen()? {
        if Instant::now() > until {
            group.thaw()?;
            return Err(Error::new(ErrorKind::Timeout, format!("the processes of `{id}` do not stand still")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Lets them go on.
pub fn resume(root: &Path, id: &str) -> Result<()> {
    let container = Container::load(root, id)?;
    if container.status()? != Status::Paused {
        return Err(Error::conflict(format!("container not paused: `{id}`")));
    }
    container.group(&Hierarchies::discover()?).thaw()
}
