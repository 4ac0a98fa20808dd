//! Making files as somebody else, with one's own rights.

use super::capability::{self, CapSet};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use std::marker::PhantomData;

/// Until it is dropped, this thread makes files as another user, and keeps its capabilities for all others.
///
/// On file systems with mapped owners an owner that the map does not have cannot make anything (mount_setattr(2)).
#[derive(Debug)]
pub struct FileOwner {
    own: (Gid, Uid),
    // The ids are this thread's: it must not be dropped on another one.
    _thread: PhantomData<*const ()>,
}

impl FileOwner {
    /// Becomes it. `capabilities` are those that this thread has and keeps.
    pub fn enter((uid, gid): (u32, u32), capabilities: CapSet) -> nix::Result<Self> {
        let own = (setfsgid(Gid::from_raw(gid)), setfsuid(Uid::from_raw(uid)));
        let entered = Self { own, _thread: PhantomData };
        // Those that concern files went with the user id (capabilities(7)).
        capability::set(capabilities, capabilities, 0)?;
        Ok(entered)
    }
}

impl Drop for FileOwner {
    fn drop(&mut self) {
        setfsgid(self.own.0);
        setfsuid(self.own.1);
    }
}
