//! Changing the root where pivot_root(2) cannot: the root of an initramfs is no mount that could be moved away.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot};

/// Moves the mount in the working directory over the root.
///
/// The old root stays below it, out of reach. What the kernel shows of the machine there is taken away first: else its
/// unmasked `/proc` would let a privileged container mount another one (mount_namespaces(7)).
pub fn move_into_working_directory() -> nix::Result<()> {
    let here = nix::unistd::getcwd()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_kernel = mounts.lines().rev().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let place = left.split(' ').nth(4)?;
        (matches!(right.split(' ').next()?, "proc" | "sysfs") && !std::path::Path::new(place).starts_with(&here))
            .then_some(place)
    });
    for place in of_kernel {
        // One that cannot be taken away is covered.
        if umount2(place, MntFlags::MNT_DETACH).is_err() {
            mount(Some("none"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
        }
    }
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    chroot(".")?;
    chdir("/")
}
