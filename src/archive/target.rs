//! Where the members of a layer go: into a folder, or into an index over the tar itself.

use super::member::{Member, Path};
use super::reader::TarReader;
use crate::context::Context;
use crate::error::Result;
use std::io::BufRead;

/// A tree that members are added to, one after another; a later one wins over what has its name.
///
/// `parent` is a path in normal form, found below the root, through links too, or made; `name` is one component.
pub trait Target {
    /// Gives the root its attributes.
    fn root_directory(&mut self, member: &Member) -> Result<()>;

    /// Makes a folder, or gives one that is there other attributes.
    fn directory(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()>;

    /// Makes a file of the data that `reader` gives next.
    fn file(
        &mut self,
        parent: &[u8],
        name: &[u8],
        member: &Member,
        reader: &mut TarReader<impl BufRead>,
        cx: &Context,
    ) -> Result<()>;

    /// Makes a symbolic link. Its target is only text.
    fn symlink(&mut self, parent: &[u8], name: &[u8], target: &[u8], member: &Member) -> Result<()>;

    /// Makes another name of what is there under the path `target`.
    fn hard_link(&mut self, parent: &[u8], name: &[u8], target: &Path, member: &Member) -> Result<()>;

    /// Makes a device or a pipe: `kind` is its `S_IF…`.
    fn node(&mut self, parent: &[u8], name: &[u8], kind: u32, device: u64, member: &Member) -> Result<()>;

    /// Hides `name` of the layers below. What this layer itself has under the name stays (OCI image spec, layer.md:
    /// whiteouts apply to lower layers only), and a folder of it no longer shows what is below.
    fn whiteout(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()>;

    /// Hides everything of the layers below in a folder.
    fn opaque(&mut self, folder: &[u8], member: &Member) -> Result<()>;
}
