//! Addresses that are reached from another network namespace than this process's own.
//!
//! Who knows of them says so once; who connects to an address asks.

use std::fs::File;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Gives the namespace in which an address is reached, when it is another one.
pub type Finder = fn(IpAddr) -> Option<Arc<File>>;

static FINDER: OnceLock<Finder> = OnceLock::new();

/// Has addresses looked up; the first one counts.
pub fn find_by(finder: Finder) {
    let _ = FINDER.set(finder);
}

/// The namespace in which an address is reached; `None`: this one.
pub fn namespace_of(ip: IpAddr) -> Option<Arc<File>> {
    FINDER.get().and_then(|finder| finder(ip))
}
