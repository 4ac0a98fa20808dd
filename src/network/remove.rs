//! Removes networks.

use super::allocate::names_file;
use super::rows::{self, Network};
use super::teardown::remove_bridge;
use super::{RESERVED, address, host_lock, install};
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::runtime::network::in_home;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};

/// Removes a network that no container is connected to, nor will be when it starts. Succeeds when somebody else has just
/// removed it.
///
/// The row goes first: a bridge without a row is swept, a row without a bridge would only get a new one.
pub fn remove(store: &Store, network: &Network) -> Result<()> {
    if RESERVED.contains(&network.name.as_str()) {
        return Err(Error::invalid(format!("the network `{}` is always there", network.name))
            .hint("networks that were made with `create_network` can be removed"));
    }
    let is_gone = store.write(|tx| {
        if rows::get(tx, &network.id)?.is_none() {
            return Ok(true);
        }
        let users = rows::users(tx, &network.name)?;
        if !users.is_empty() {
            return Err(in_use(network, &users));
        }
        // Of a container that is just being removed.
        for address in address::in_network(tx, &network.id)? {
            address::give_up_serial(tx, address.serial)?;
        }
        rows::delete(tx, &network.id)?;
        scopes::release(tx, ItemKind::Network, &network.id)?;
        Ok(false)
    })?;
    if is_gone {
        return Ok(());
    }
    events::record(store.root(), &[Occurrence::network("destroy", &network.id, &network.name, "bridge")]);
    let _ = std::fs::remove_file(names_file(store, network));
    let _lock = host_lock::hold()?;
    in_home(|| {
        if crate::sys::netlink::link_index(&network.bridge).is_none() {
            return Ok(());
        }
        remove_bridge(&network.bridge)?;
        install::install(store, &[])
    })
}

/// The same by its full id, for scopes. Succeeds when it is gone.
pub fn remove_by_id(store: &Store, id: &str) -> Result<()> {
    store.read(|db| rows::get(db, id))?.map_or(Ok(()), |network| remove(store, &network))
}

/// Takes a network out of its scope.
pub fn keep(store: &Store, name: &str) -> Result<()> {
    let network = super::find(store, name)?;
    store.write(|tx| scopes::release(tx, ItemKind::Network, &network.id))
}

fn in_use(network: &Network, users: &[String]) -> Error {
    let noun = if users.len() == 1 { "container" } else { "containers" };
    Error::conflict(format!("network `{}` is used by {noun} `{}`", network.name, users.join("`, `"))).hint(format!(
        "remove them, or take them out of it: `network(\"{}\").disconnect(\"{}\")`",
        network.name, users[0]
    ))
}
