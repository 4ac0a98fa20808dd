//! Images: names for a config and layers in the store; one verb a file.

mod commit;
mod config;
mod history;
mod info;
mod inspect;
mod layer;
mod list;
mod load;
mod lookup;
mod manifest;
mod prepare;
mod pull;
mod push;
mod remove;
mod save;
mod summary;
mod tag;

pub use commit::{CommittedLayer, NewImage, commit, commit_child};
pub use config::{MAX_CONFIG, parse_config, read_config};
pub use history::history;
pub use info::info;
pub use inspect::inspect;
pub use layer::place_layer;
pub use list::list;
pub use load::load;
pub use lookup::{find, require};
pub use manifest::write_manifest;
pub use prepare::{RunnableImage, ensure_present, prepare, prepare_id};
pub use pull::pull;
pub use push::push;
pub use remove::{remove, untag};
pub use save::save;
pub use tag::tag;
