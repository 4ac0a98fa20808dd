//! Layers as tar: read, unpacked into a folder for overlayfs, written from a folder; and backups of folders.
//!
//! An archive is hostile input. [`unpack`] changes nothing outside its folder, whatever the archive says,
//! and refuses with `corrupt` what no honest archive has.

mod compare;
mod compression;
mod end_record;
pub mod erofs;
mod exclude;
mod header;
mod kind;
mod limits;
mod mapped;
pub mod member;
mod pack;
mod pax;
mod pipeline;
mod reader;
mod recording;
mod restore;
mod sparse;
mod target;
mod tree;
mod unpack;
mod view;
pub mod whiteout;
mod writer;

pub use compare::{Compared, compare};
pub use compression::{Compression, decompress};
pub use end_record::EndRecord;
pub use exclude::Exclusion;
pub use kind::{Kind, extract};
pub use limits::{Limits, MAX_DEPTH};
pub use mapped::{copy_mapped, differs_from_mapped};
pub use pack::{PackOptions, exactly, member_of, names, pack, pack_backup, pack_folder};
pub use reader::TarReader;
pub use restore::{LIMITS as BACKUP_LIMITS, restore, restore_plain};
pub use unpack::{Unpacked, diff_id, unpack};
pub use view::{Seen, View};
pub use writer::TarWriter;
