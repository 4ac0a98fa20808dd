//! What killed processes left of containers is taken away by the next command.

use super::remove::Removal;
use super::row;
use super::{ended_record, folder, lock, remove, state};
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::Id;
use crate::network;
use crate::runtime::control;
use crate::runtime::network::NetworkPlan;
use crate::store::Store;
use crate::volume;

/// Run directories are named after the beginnings of ids.
const SHORT_ID: usize = 12;

/// Folds ends that nobody saw, removes containers that should have gone at their end, folders without
/// a row, what was left of volumes, and addresses without a container. What fails is left for the next command.
pub fn sweep(store: &Store, cx: &Context) -> Result<()> {
    for mut row in store.read(row::to_sweep)? {
        cx.check()?;
        let name = row.name.clone();
        let swept = state::refresh(store, &mut row).and_then(|_| remove_if_it_should_be_gone(store, cx, row));
        report(swept, &name);
    }
    let known = |id: &Id| store.read(|db| row::exists(db, id));
    for orphan in folder::sweep(store, known)? {
        report(remove::take_apart(store, cx, &orphan, &NetworkPlan::None, false), orphan.short());
    }
    report(sweep_run_dirs(store), "monitors");
    report(control::sweep_monitors_group(store.root_id8()), "the group of the monitors");
    let is_known = |id: &str| store.read(|db| Ok(row::get(db, id)?.is_some())).unwrap_or(true);
    report(network::sweep(store, is_known), "networks");
    report(volume::sweep(store), "volumes");
    ended_record::sweep(store)
}

/// Unmounts the layers that no container has which may be alive.
pub fn unmount_unused_layers(store: &Store) -> Result<()> {
    store.unmount_unused_layers(|| {
        let rows = store.read(row::maybe_alive)?;
        Ok(rows.into_iter().flat_map(|row| row.plan.layers).collect())
    })
}

/// Whether layers are mounted, and no container is left that may need them.
pub fn has_idle_layers(store: &Store) -> bool {
    store.has_mounted_layers() && store.read(row::maybe_alive).is_ok_and(|rows| rows.is_empty())
}

/// A container that ended with `remove: true` whose clean-up was killed too.
fn remove_if_it_should_be_gone(store: &Store, cx: &Context, row: row::Row) -> Result<()> {
    // Also one that was killed before its program was executed: the rows looked at are those that may be alive.
    if !row.spec.remove || row.state.status.is_alive() {
        return Ok(());
    }
    remove::remove(store, cx, row, Removal::default())
}

/// Run directories of monitors that were killed when the end of their containers had been folded already.
fn sweep_run_dirs(store: &Store) -> Result<()> {
    let entries =
        std::fs::read_dir(store.run_dir()).doing(|| format!("cannot list `{}`", store.run_dir().display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_id = name.len() == SHORT_ID && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(row) = (if is_id { store.read(|db| row::by_prefix(db, &name))?.pop() } else { None }) else {
            continue;
        };
        // Who starts it holds the lock before there is a directory; a monitor has its own lock.
        if state::has_monitor(store, &row)? {
            continue;
        }
        if let Some(_lock) = lock::try_lock(store, &row.id)? {
            report(state::sweep_remains(store, &row), &row.name);
        }
    }
    Ok(())
}

fn report(swept: Result<()>, what: &str) {
    if let Err(error) = swept {
        tracing::warn!(%error, what, "not everything that was left could be taken away");
    }
}
