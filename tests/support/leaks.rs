//! What a root leaves on the machine: mounts, control groups, links, firewall tables, processes.
//!
//! Everything on the host that belongs to a root carries the first eight digits of its id, or its path.

use super::caller::{program, run_base};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lists what containers of this root have left, one line each. `id8`: the first eight digits of the root's id.
///
/// The root's own bridge, table and control group, and mounts of layers, are not containers': they may stay until
/// [`sweep`].
pub fn leaks(root: &Path, id8: &str) -> Vec<String> {
    let bridge = format!("sh{id8}n");
    let mut found = Vec::new();
    let of_layers = run_dir(id8).join("layers");
    let mounts = mounts(root, id8).into_iter().filter(|mount| !mount.starts_with(&of_layers));
    found.extend(mounts.map(|mount| format!("mount {}", mount.display())));
    found.extend(container_cgroups(id8).into_iter().map(|group| format!("control group {}", group.display())));
    found.extend(links(id8).into_iter().filter(|link| !link.starts_with(&bridge)).map(|link| format!("link {link}")));
    found.extend(processes(root, id8).into_iter().map(|(pid, command)| format!("process {pid}: {command}")));
    found.extend(
        entries(&run_dir(id8))
            .into_iter()
            // What is kept of containers that removed themselves, for an hour.
            .filter(|path| path.is_dir() && !path.ends_with("ended") && *path != of_layers)
            .map(|path| path.display().to_string()),
    );
    found
}

/// Takes away what a root has on the machine, whatever state it is in, so that a failed test disturbs no other.
pub fn sweep(root: &Path, id8: &str) {
    for (pid, _) in processes(root, id8) {
        // It may have ended meanwhile.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    for mount in mounts(root, id8).iter().rev() {
        let _ = nix::mount::umount2(mount, nix::mount::MntFlags::MNT_DETACH);
    }
    for group in cgroups(id8) {
        remove_cgroup(&group);
    }
    for link in links(id8) {
        quietly(Command::new("ip").args(["link", "delete", &link]));
    }
    quietly(Command::new("nft").args(["delete", "table", "inet", &table(id8)]));
    drop(fs::remove_dir_all(run_dir(id8)));
}

fn table(id8: &str) -> String {
    format!("shanty-{id8}")
}

fn run_dir(id8: &str) -> PathBuf {
    run_base().join(id8)
}

fn mounts(root: &Path, id8: &str) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|mount| mount.starts_with(root) || mount.starts_with(run_dir(id8)))
        .collect()
}

/// The root's group in each hierarchy: v2, and every v1 controller.
fn cgroups(id8: &str) -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let mut hierarchies = entries(top);
    hierarchies.push(top.into());
    hierarchies.iter().map(|hierarchy| hierarchy.join("shanty").join(id8)).filter(|group| group.is_dir()).collect()
}

fn container_cgroups(id8: &str) -> Vec<PathBuf> {
    cgroups(id8).iter().flat_map(|group| entries(group)).filter(|path| path.is_dir()).collect()
}

fn remove_cgroup(group: &Path) {
    for below in entries(group).iter().filter(|path| path.is_dir()) {
        remove_cgroup(below);
    }
    drop(fs::remove_dir(group));
}

fn links(id8: &str) -> Vec<String> {
    let names = entries(Path::new("/sys/class/net"))
        .into_iter()
        .filter_map(|path| path.file_name()?.to_str().map(String::from));
    names.filter(|name| name.starts_with(&format!("sh{id8}"))).collect()
}

/// Processes of containers (by their control group), and those that were given this root (as an argument, in their
/// environment, or as an open file).
fn processes(root: &Path, id8: &str) -> Vec<(i32, String)> {
    let names = |path: PathBuf, what: &[u8]| fs::read(path).is_ok_and(|bytes| contains(&bytes, what));
    let root_bytes = root.as_os_str().as_bytes();
    let mut found = Vec::new();
    for entry in entries(Path::new("/proc")) {
        let Some(pid) = entry.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        if names(entry.join("cgroup"), format!("/shanty/{id8}/").as_bytes())
            || names(entry.join("cmdline"), root_bytes)
            || names(entry.join("environ"), root_bytes)
            || has_open(&entry, root)
        {
            let command = fs::read(entry.join("cmdline")).unwrap_or_default();
            if command.is_empty() {
                continue; // A zombie: whoever took it over has yet to look.
            }
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// Whether a process of our program has a file of the root open.
fn has_open(process: &Path, root: &Path) -> bool {
    fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program())
        && entries(&process.join("fd")).iter().any(|fd| fs::read_link(fd).is_ok_and(|file| file.starts_with(root)))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|list| list.filter_map(|entry| Some(entry.ok()?.path())).collect()).unwrap_or_default()
}

fn quietly(command: &mut Command) {
    // What is to be deleted is mostly not there, and the program may be missing.
    drop(command.output());
}

#[test]
fn leaks_of_every_kind_are_found_and_swept() {
    let ip = crate::require!(super::program("ip"));
    let root = tempfile::tempdir().unwrap();
    let id8 = &format!("{:08x}", std::process::id()); // of no real root: those are random
    assert_eq!(leaks(root.path(), id8), Vec::<String>::new());

    let mount = root.path().join("merged");
    fs::create_dir(&mount).unwrap();
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("none"), &mount, Some("tmpfs"), flags, None::<&str>).unwrap();
    let hierarchy = entries(Path::new("/sys/fs/cgroup")).into_iter().find(|path| path.join("cgroup.procs").exists());
    let hierarchy = hierarchy.unwrap_or_else(|| "/sys/fs/cgroup".into());
    fs::create_dir_all(hierarchy.join("shanty").join(id8).join("container/init")).unwrap();
    let link = format!("sh{id8}a");
    assert!(Command::new(ip).args(["link", "add", &link, "type", "bridge"]).status().unwrap().success());
    let mut process = Command::new("sleep").arg("1000").env("SHANTY_ROOT", root.path()).spawn().unwrap();
    fs::create_dir_all(run_dir(id8).join("container")).unwrap();

    let kinds = ["mount ", "control group ", "link ", "process ", "/run/shanty"];
    let found = super::wait_for(std::time::Duration::from_secs(10), || {
        let found = leaks(root.path(), id8).join("\n");
        kinds.iter().all(|kind| found.contains(kind)).then_some(found)
    });
    sweep(root.path(), id8);
    process.wait().unwrap();
    let left = leaks(root.path(), id8);

    for kind in kinds {
        assert!(found.contains(kind), "no {kind}in:\n{found}");
    }
    assert_eq!(left, Vec::<String>::new());
}
