//! A layer as its tar with an index over it is the same tree as one that is unpacked.

use super::tree::{assert_same, describe, rich_tree, scratch, sh};
use shanty::archive::{Limits, erofs, unpack};
use shanty::context::Context;
use shanty::sys;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// An index, mounted; unmounted when dropped.
pub struct Mounted(PathBuf);

impl Mounted {
    /// Keeps an archive in `folder`, indexes and mounts it. `None` when it does not fit.
    pub fn of(archive: &[u8], folder: &Path) -> Option<Self> {
        let [tar, image, at] = ["layer.tar", "layer.erofs", "mounted"].map(|name| folder.join(name));
        let (_, index) =
            erofs::keep(archive, &File::create(&tar).unwrap(), &Limits::default(), &Context::background()).unwrap();
        index?.write([7; 16], BufWriter::new(File::create(&image).unwrap())).unwrap();
        fs::create_dir(&at).unwrap();
        let tree = sys::erofs::mount(&image, &tar).unwrap();
        sys::mount::attach(tree, File::open(&at).unwrap()).unwrap();
        Some(Self(at))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

fn unpacked(archive: &[u8], folder: &Path) -> PathBuf {
    let out = folder.join("unpacked");
    fs::create_dir(&out).unwrap();
    unpack(archive, &out, &Limits::default(), &Context::background()).unwrap();
    out
}

#[test]
fn an_index_shows_what_gnu_tar_packed() {
    if !super::has_indexes() {
        return;
    }
    let scratch = scratch();
    let tree = scratch.path().join("tree");
    fs::create_dir(&tree).unwrap();
    rich_tree(&tree);
    for seed in 100..120 {
        // Members that meet nothing of before: whiteouts mean nothing to GNU tar.
        let folder = scratch.path().join(format!("random-{seed}"));
        fs::create_dir(&folder).unwrap();
        let tree = unpacked(&random_layer(seed, false), &folder);
        sh("tar --format=pax --xattrs --xattrs-include='*' -C unpacked -cf layer .", &folder);
        sh("mkdir gnu; tar --numeric-owner --xattrs --xattrs-include='*' -C gnu -xpf layer", &folder);
        let mounted = Mounted::of(&fs::read(folder.join("layer")).unwrap(), &folder).unwrap();
        assert_same(mounted.path(), &tree);
        assert_same(mounted.path(), &folder.join("gnu"));
    }
    for (number, command) in ["cat", "gzip -1", "zstd -q"].into_iter().enumerate() {
        sh(
            &format!("tar --format=pax --xattrs --xattrs-include='*' -C tree -cf - . | {command} > layer"),
            scratch.path(),
        );
        let folder = scratch.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let mounted = Mounted::of(&fs::read(scratch.path().join("layer")).unwrap(), &folder).unwrap();
        assert_same(mounted.path(), &tree);
    }
}

#[test]
fn an_index_shows_what_is_unpacked_whatever_the_tree() {
    if !super::has_indexes() {
        return;
    }
    for seed in 0..40 {
        let scratch = scratch();
        let archive = random_layer(seed, true);
        let out = unpacked(&archive, scratch.path());
        let mounted = Mounted::of(&archive, scratch.path()).expect("small trees fit");
        let (found, wanted) = (describe(mounted.path()), describe(&out));
        for (path, wanted) in &wanted {
            assert_eq!(found.get(path), Some(wanted), "seed {seed}: {}", path.display());
        }
        assert_eq!(found.len(), wanted.len(), "seed {seed}");
        // Twice the same, byte for byte: what checks a store relies on it.
        let tar = File::open(scratch.path().join("layer.tar")).unwrap();
        let again = erofs::keep(
            &tar,
            &File::create(scratch.path().join("again")).unwrap(),
            &Limits::default(),
            &Context::background(),
        );
        let mut bytes = Vec::new();
        again.unwrap().1.unwrap().write([7; 16], &mut bytes).unwrap();
        assert!(bytes == fs::read(scratch.path().join("layer.erofs")).unwrap(), "seed {seed}");
    }
}

/// A small generator with a fixed sequence (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % end
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// Few short names, so that members meet; some long ones, so that folders need many blocks.
    fn name(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => vec![b'n'; self.below(255) as usize + 1],
            1 => vec![b'0' + self.below(10) as u8, 0xff, b'\n'],
            2 => format!("file-{}", self.below(500)).into_bytes(),
            _ => vec![b'a' + self.below(6) as u8],
        }
    }

    fn path(&mut self) -> Vec<u8> {
        let depth = self.below(4) + 1;
        (0..depth).map(|_| self.name()).collect::<Vec<_>>().join(&b'/')
    }
}

/// Members that replace each other, go through links, and, with `markers`, white out and make opaque.
fn random_layer(seed: u64, markers: bool) -> Vec<u8> {
    use shanty::archive::TarWriter;
    use shanty::archive::member::{Member, MemberKind, Path as Inside, Time};
    let mut random = Random(seed);
    let mut writer = TarWriter::new(Vec::new());
    // What is known to be there, and not to be replaced by what would make a later member fail.
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut folders: Vec<Vec<u8>> = vec![Vec::new()];
    let mut taken: std::collections::HashSet<Vec<u8>> = std::collections::HashSet::new();
    let join = |folder: &[u8], name: &[u8]| {
        if folder.is_empty() { name.to_vec() } else { [folder, name].join(&b'/') }
    };
    for _ in 0..random.below(400) + 20 {
        let folder = random.pick(&folders).clone();
        let name = random.name();
        let path = join(&folder, &name);
        if path.len() > 3000 || name.starts_with(b".wh.") {
            continue;
        }
        let mut size = 0;
        let is_folder = folders.contains(&path);
        let kind = match random.below(12) {
            0..=2 if !taken.contains(&path) || is_folder => {
                folders.push(path.clone());
                MemberKind::Directory
            }
            _ if is_folder => continue,
            3 => MemberKind::Symlink(match random.below(3) {
                0 => vec![b'x'; random.below(2000) as usize + 1],
                1 => [&b"/"[..], random.pick::<Vec<u8>>(&folders)].concat(),
                _ => b"../../nowhere".to_vec(),
            }),
            4 if !files.is_empty() => {
                let target = random.pick(&files).clone();
                if target == path {
                    continue;
                }
                MemberKind::HardLink(Inside::parse(&target).unwrap())
            }
            5 => MemberKind::CharDevice(nix::sys::stat::makedev(random.below(4000), random.below(1 << 20))),
            6 => MemberKind::BlockDevice(nix::sys::stat::makedev(random.below(4000), random.below(1 << 20))),
            7 => MemberKind::Fifo,
            _ => {
                size = match random.below(4) {
                    0 => 0,
                    1 => random.below(100),
                    2 => random.below(5000),
                    _ => random.below(200_000),
                };
                MemberKind::File
            }
        };
        if kind == MemberKind::File {
            files.push(path.clone());
        } else {
            files.retain(|file| *file != path);
        }
        taken.insert(path.clone());
        let mut xattrs = Vec::new();
        let takes_all = matches!(kind, MemberKind::File | MemberKind::Directory);
        for _ in 0..random.below(6).saturating_sub(3) {
            let value = vec![random.below(256) as u8; random.below(300) as usize];
            let prefix = *random.pick(&["user.", "trusted.", "trusted.overlay.", "unknown."]);
            if takes_all || prefix != "user." {
                xattrs.push((format!("{prefix}{}", random.below(20)).into_bytes(), value));
            }
        }
        xattrs.sort();
        xattrs.dedup_by(|a, b| a.0 == b.0);
        let mode = random.below(0o10000) as u32;
        let mtime = Time {
            seconds: random.below(6_000_000_000) as i64 - 2_000_000_000,
            nanoseconds: random.below(1_000_000_000) as i64,
        };
        let (uid, gid) = (random.below(u64::from(u32::MAX)) as u32, random.below(70_000) as u32);
        let member = Member { path: Inside::parse(&path).unwrap(), kind, mode, uid, gid, mtime, size, xattrs };
        let data: Vec<u8> = (0..size).map(|at| (at * 31 + seed) as u8).collect();
        writer.add(&member, &data[..]).unwrap();
        if markers && random.below(10) == 0 {
            let marker = match random.below(3) {
                0 => join(&folder, b".wh..wh..opq"),
                1 => join(&folder, &[b".wh.gone-", &name[..name.len().min(200)]].concat()),
                _ => join(&folder, b".wh.a"),
            };
            let marker = Member {
                path: Inside::parse(&marker).unwrap(),
                kind: MemberKind::File,
                mode: 0,
                uid: 0,
                gid: 0,
                mtime: Time::default(),
                size: 0,
                xattrs: Vec::new(),
            };
            writer.add(&marker, std::io::empty()).unwrap();
        }
        if random.below(30) == 0 {
            // Parents that no member has made.
            let path = [join(&folder, b"implied"), random.path()].join(&b'/');
            let member = Member { path: Inside::parse(&path).unwrap(), ..member_of(mtime) };
            if !taken.contains(&path)
                && !taken.iter().any(|taken| {
                    path.starts_with(&join(&folder, b"implied")) && taken.starts_with(&join(&folder, b"implied"))
                })
            {
                taken.insert(path);
                writer.add(&member, std::io::empty()).unwrap();
            }
        }
    }
    writer.finish().unwrap()
}

fn member_of(mtime: shanty::archive::member::Time) -> shanty::archive::member::Member {
    use shanty::archive::member::{Member, MemberKind, Path as Inside};
    Member {
        path: Inside::default(),
        kind: MemberKind::File,
        mode: 0o644,
        uid: 1,
        gid: 2,
        mtime,
        size: 0,
        xattrs: Vec::new(),
    }
}
