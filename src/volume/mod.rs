//! Volumes: data that outlives containers. One verb a file.
//!
//! A volume is a row and the folder `volumes/<name>` with its files in `_data`. The folder comes into its place, and goes
//! out of it, inside a transaction that sees the row: a folder without a row is what a killed process left, and is swept.

mod create;
mod events;
mod export;
mod filling;
mod folder;
mod import;
mod inspect;
mod keep;
mod list;
mod lookup;
pub mod prune;
mod remove;
mod row;
mod sweep;
mod usage;
mod users;

pub use create::{anonymous, check_free, create, create_from, ensure};
pub use events::{created, destroyed};
pub use export::export;
pub use filling::Filling;
pub use folder::{Draft, check_there, data, open};
pub use import::import;
pub use inspect::inspect;
pub use keep::{keep, keep_those_of};
pub use list::{info, list};
pub use lookup::find;
pub use remove::{discard, remove};
pub use row::Row;
pub use sweep::sweep;
pub use usage::{size, usage};
pub use users::{attach, release, users};
