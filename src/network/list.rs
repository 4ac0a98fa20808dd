//! Lists networks.

use super::{info, rows};
use crate::error::Result;
use crate::model::{NetworkFilter, NetworkInfo};
use crate::store::Store;

/// The networks that a filter wants: the three that are always there first, then the oldest first.
pub fn list(store: &Store, filter: &NetworkFilter) -> Result<Vec<NetworkInfo>> {
    let default = rows::default_network(store)?;
    let mut all = vec![info::info(store, default.clone())?];
    for name in ["host", "none"] {
        all.extend(info::built_in(store, name)?);
    }
    for network in store.read(rows::all)?.into_iter().filter(|network| network.id != default.id) {
        all.push(info::info(store, network)?);
    }
    Ok(all.into_iter().filter(|info| matches(info, filter)).collect())
}

fn matches(info: &NetworkInfo, filter: &NetworkFilter) -> bool {
    let has =
        |(key, value): &(String, String)| info.labels.get(key).is_some_and(|found| value.is_empty() || found == value);
    let is_named = |name: &String| info.name.contains(name.as_str()) || info.id.starts_with(name.as_str());
    filter.name.as_ref().is_none_or(is_named)
        && filter.labels.iter().all(has)
        && filter.driver.as_ref().is_none_or(|driver| *driver == info.driver)
        // Docker: those that are always there are not dangling.
        && filter.dangling.is_none_or(|wanted| {
            wanted == (info.containers.is_empty() && !super::RESERVED.contains(&info.name.as_str()))
        })
}
