//! Takes away what containers left that are gone, for example because their monitor was killed.

use super::{address, host_lock, names_dir, ports, table};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::network::resolver::names;
use crate::runtime::network::{in_home, is_severed, is_there, mend};
use crate::store::Store;
use crate::sys::nft::{Batch, Element, Map, NftSocket};
use nix::errno::Errno;
use std::collections::HashSet;
use std::net::IpAddr;

/// Frees the addresses of containers that are not alive, and removes the published ports that lead to
/// nobody. `is_live` gets container ids, and must say yes to one that is being started.
///
/// It is asked after the addresses were read, so one that is taken meanwhile is safe.
pub fn sweep(store: &Store, is_live: impl Fn(&str) -> bool) -> Result<()> {
    let gone: Vec<_> = store.read(address::all)?.into_iter().filter(|address| !is_live(&address.container)).collect();
    if !gone.is_empty() {
        store.write(|tx| gone.iter().try_for_each(|address| address::give_up_serial(tx, address.serial)))?;
    }
    sweep_names(store, &is_live)?;
    if is_severed()? {
        let _lock = host_lock::hold()?;
        mend()?;
    }
    if is_there() { in_home(|| remove_stale_elements(store)) } else { Ok(()) }
}

/// Names of containers that are gone, and the files of networks that are.
fn sweep_names(store: &Store, is_live: &impl Fn(&str) -> bool) -> Result<()> {
    let Ok(files) = std::fs::read_dir(names_dir(store)) else { return Ok(()) };
    for file in files.flatten().filter(|file| file.path().extension().is_some_and(|extension| extension == "json")) {
        names::retain(&file.path(), is_live)?;
    }
    Ok(())
}

fn remove_stale_elements(store: &Store) -> Result<()> {
    let Some(table) = table(store) else { return Ok(()) };
    let mut published = NftSocket::with(|nft| published(nft, &table))?;
    if published.is_empty() {
        return Ok(());
    }
    // Read after the elements: a port is published after its address was taken.
    let in_use: HashSet<IpAddr> =
        store.read(address::all)?.iter().flat_map(|address| address.all().collect::<Vec<_>>()).collect();
    // One whose port somebody has taken since, perhaps at this moment, is replaced by them: it cannot be told from theirs.
    let taken = store.read(ports::taken)?;
    published.retain(|(map, element)| {
        !in_use.contains(&element.target.ip()) && !taken.contains(&(map.is_tcp(), element.published))
    });
    NftSocket::with(|nft| {
        let mut failures = Vec::new();
        for (map, element) in published {
            let mut batch = Batch::new();
            batch.delete_element(&table, map, element.published);
            match nft.commit(batch) {
                Err(refusal) if refusal.errno != Errno::ENOENT => {
                    failures.push(refusal.doing(format!("port {}", element.published)).message());
                }
                _ => {}
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Io, format!("cannot remove stale published ports: {}", failures.join("; "))))
    })
}

fn published(nft: &mut NftSocket, table: &str) -> Result<Vec<(Map, Element)>> {
    let mut published = Vec::new();
    for map in Map::ALL {
        let elements = nft.elements(table, map).map_err(|refusal| refusal.doing("cannot list published ports"))?;
        published.extend(elements.into_iter().map(|element| (map, element)));
    }
    Ok(published)
}
