//! Paths with `*`, `?` and `[…]`, on either side of a copy.

use super::place::{Side, shown};
use crate::error::{Error, IoContext, Result};
use crate::model::pattern;
use crate::sys::node::{Node, NodeKind};

/// Most names that are looked at in one folder: a container may have made any number.
const MOST_NAMES: usize = 1_000_000;

/// The paths that a pattern means, in order. A path that is there as it is written means itself.
///
/// # Errors
/// `not_found` when a pattern matches nothing.
pub fn expand(side: &Side<'_>, written: &[u8]) -> Result<Vec<Vec<u8>>> {
    if !pattern::is_pattern(written) || side.open(written).is_ok() {
        return Ok(vec![written.to_vec()]);
    }
    let mut found: Vec<Vec<u8>> = vec![Vec::new()];
    let end = written.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    for component in written[..end].split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        let mut next = Vec::new();
        for path in found {
            if pattern::is_pattern(component) {
                matching(side, &path, component, &mut next)?;
            } else {
                next.push([&path, component].join(&b'/'));
            }
        }
        found = next;
    }
    // What follows a pattern has to be there, and to be a folder when a slash says so.
    found.retain(|path| side.source(&[path, &written[end..]].concat(), false).is_ok());
    if found.is_empty() {
        return Err(Error::not_found(format!("nothing matches `{}` {}", shown(written), side.place)));
    }
    Ok(found.into_iter().map(|path| [&path, &written[end..]].concat()).collect())
}

fn matching(side: &Side<'_>, path: &[u8], component: &[u8], found: &mut Vec<Vec<u8>>) -> Result<()> {
    // What cannot be listed matches nothing, as in a shell.
    let Some(folder) = side.open(path).ok().filter(|node: &Node| node.kind() == NodeKind::Folder) else {
        return Ok(());
    };
    let doing = || format!("cannot list `{}` {}", shown(path), side.place);
    let names = folder.names(MOST_NAMES).doing(doing)?;
    let names = names.ok_or_else(|| Error::invalid(format!("{}: it has more than {MOST_NAMES} names", doing())))?;
    let matching = names.iter().filter(|name| pattern::matches(component, name));
    found.extend(matching.map(|name| [path, name].join(&b'/')));
    Ok(())
}
