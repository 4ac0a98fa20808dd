//! What a root does not need any more is taken away by a process of its own: it takes time that no caller should wait.

use crate::container;
use crate::context::Context;
use crate::error::{ErrorKind, IoContext, Result};
use crate::network;
use crate::runtime::control::CLEANER_ARGV0;
use crate::store::Store;
use crate::sys::niceness;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A script is often followed by another one, which would have to make the network again.
const GRACE: Duration = Duration::from_millis(300);

/// Starts [`clean_up`] as a process that outlives this one.
pub fn start(root: &Path) -> Result<()> {
    let program = std::env::current_exe().doing(|| "cannot find this program")?;
    Command::new(program)
        .arg0(CLEANER_ARGV0)
        .arg(root)
        .current_dir("/")
        // Ctrl-C at the terminal is not for it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
        .doing(|| "cannot start the clean-up")
}

/// Removes a container that has ended, and then what the root does not need: the trash, the layers and the network
/// that nobody uses, once a day all files that belong to nothing, and the log of the database.
pub fn clean_up(root: &Path, container: Option<&str>) -> Result<()> {
    let store = Store::open(root)?;
    let cx = Context::background();
    if let Some(id) = container {
        match store.read(|db| container::find(db, id)) {
            Ok(row) => container::remove(&store, &cx, row, container::Removal::default())?,
            // Somebody was faster.
            Err(error) if error.is(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    store.take_out_garbage()?;
    store.empty_trash();
    cx.cancel.sleep(GRACE)?;
    container::unmount_unused_layers(&store)?;
    network::teardown_if_unused(&store)?;
    niceness::lowest();
    store.sweep_daily()?;
    store.checkpoint_if_large()
}
