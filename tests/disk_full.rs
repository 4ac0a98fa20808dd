//! The disk is full in the middle of each: it is said how much is needed, nothing half made stays, no image is lost.

use crate::support::fixtures::{Missing, program};
use crate::support::registry::{FaultyRegistry, Image, tar_of};
use crate::support::{Shanty, note_skip, require, sweep, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Bytes that do not compress.
fn noise(seed: u64, megabytes: u64) -> Vec<u8> {
    let mut state = seed;
    let numbers = (0..megabytes << 17).map(|_| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    });
    numbers.flat_map(u64::to_le_bytes).collect()
}

/// A small disk, with ext4: layers can be mounted from it in both forms.
struct Disk(PathBuf);

impl Disk {
    fn mount(shanty: &Shanty, megabytes: u64) -> Result<Self, Missing> {
        let (make, mount) = (program("mkfs.ext4")?, program("mount")?);
        let image = shanty.work().join("disk.img");
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let run = |command: &mut Command| command.output().unwrap();
        assert!(run(Command::new(make).args(["-q", "-m", "0"]).arg(&image)).status.success());
        let mounted = run(Command::new(mount).args(["-o", "loop"]).arg(&image).arg(shanty.root()));
        if !mounted.status.success() {
            return Err(Missing("loop devices".into()));
        }
        shanty.owns(&shanty.root());
        Ok(Self(shanty.root()))
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("full")).unwrap();
        for part in [1 << 20, 4 << 10, 1] {
            while file.write_all(&vec![0; part]).is_ok() {}
        }
        file.sync_all().unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("full")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

struct Full<'a> {
    shanty: &'a Shanty,
    form: &'a str,
}

impl Full<'_> {
    #[track_caller]
    fn json(&self, code: &str) -> Value {
        let output = self.shanty.call(&["eval", "--json", code]).env("SHANTY_LAYERS", self.form).ok();
        serde_json::from_str(&output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, code: &str, hint: &str) {
        let failed = self.shanty.eval(code).env("SHANTY_LAYERS", self.form).fails_with("io");
        let said = failed.stderr.replace('\n', " ");
        for expected in ["no space left", hint, "free some space"] {
            assert!(said.contains(expected), "{code}: {expected}: {said}");
        }
        self.is_whole(code);
    }

    /// Nothing is damaged, missing or half made.
    #[track_caller]
    fn is_whole(&self, what: &str) {
        assert_eq!(self.json("images().map(|i| i.tags[0])"), json!(["kept:2", "kept:1"]), "{what}");
        wait_until(Duration::from_secs(30), || {
            self.json("images()");
            self.left_over().is_empty()
        });
        let found = self.json("let c = check_store(#{ repair: true }); [c.healthy, c.findings.map(|f| f.kind)]");
        assert_eq!(found[0], true, "{what}: {found}");
        let orphans = found[1].as_array().unwrap().iter().all(|kind| kind == "orphan");
        assert!(orphans, "{what}: {found}");
        assert_eq!(self.json("check_store().findings.len()"), 0, "{what}");
    }

    fn left_over(&self) -> Vec<PathBuf> {
        let folders = ["blobs/tmp", "layers/tmp", "trash"].map(|folder| self.shanty.root().join(folder));
        let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap().flatten());
        // The next pull goes on with a blob that has the name of its digest.
        let resumable = |path: &Path| path.file_name().unwrap().len() == 64 && !path.starts_with(&folders[1]);
        entries.map(|entry| entry.path()).filter(|path| !resumable(path)).collect()
    }
}

fn disk_full(form: &str) {
    let (shanty, other) = (Shanty::new(), Shanty::new());
    let registry = FaultyRegistry::start();
    let layers = [1, 2].map(|seed| tar_of(&[("data", &noise(seed, 12))]));
    registry.put("large:1", &Image::new(&layers));
    registry.put("small:1", &Image::of_files(&[("data", b"small")]));
    other.eval(&format!(r#"image("{}/large:1").pull().save("large.tar")"#, registry.host())).ok();
    std::fs::rename(other.work().join("large.tar"), shanty.work().join("large.tar")).unwrap();
    std::fs::write(shanty.work().join("rootfs.tar"), tar_of(&[("data", &noise(3, 24))])).unwrap();
    std::fs::write(shanty.work().join("data"), noise(4, 14)).unwrap();
    std::fs::write(shanty.work().join("small.tar"), tar_of(&[("data", &noise(5, 2))])).unwrap();

    let disk = require!(Disk::mount(&shanty, 44));
    let full = Full { shanty: &shanty, form };
    let first = shanty.eval(r#"image_from_tar("small.tar", #{ tag: "kept:1" })"#).env("SHANTY_LAYERS", form).output();
    if first.stderr.contains("unsupported") {
        return note_skip(&Missing("a kernel that mounts indexed layers".into()));
    }
    assert_eq!(first.code, 0, "{first}");
    full.json(r#"from("kept:1").write("/more", "x").tag("kept:2"); 1"#);

    full.fails(r#"load("large.tar")"#, "it needs more than the ");
    full.fails(r#"image_from_tar("rootfs.tar")"#, "it needs more than the ");
    full.fails(r#"from("kept:1").copy("data", "/a").copy("data", "/b").tag("built:1")"#, "it needs more than the ");
    full.json(r#"image("kept:1").create(["true"], #{ name: "changed", network: "none" }).copy_to("data", "/"); 1"#);
    full.fails(r#"container("changed").commit("made:1")"#, "it needs more than the ");
    full.json(r#"container("changed").remove(); 1"#);

    disk.fill();
    let archive = shanty.root().join("kept.tar");
    full.fails(&format!(r#"image("kept:2").save("{}")"#, archive.display()), "the archive needs at least 2");
    assert!(!archive.exists());
    disk.free();
    full.json(
        r#"from("kept:1").write("/new", "x").tag("new:1");
           image_from_tar("small.tar", #{ tag: "old:1" });
           for kept in ["kept:1", "kept:2"] { image(kept).create(["true"], #{ name: `of-${kept[5]}`, network: "none" }) }
           1"#,
    );
    // Who frees space needs none.
    disk.fill();
    assert_eq!(full.json("prune_images(#{ all: true }).items.len()"), 2);
    full.is_whole("prune");
    disk.free();

    let pull = format!(r#"image("{}/large:1").pull()"#, registry.host());
    full.fails(&pull, "it needs at least ");
    full.fails(&pull, "are free");
    full.json(&format!(
        r#"image("{}/small:1").pull(); image("{}/small:1").remove(); 1"#,
        registry.host(),
        registry.host()
    ));
    full.is_whole("afterwards");
    full.json(r#"for c in containers(#{ all: true }) { c.remove() } 1"#);
    let mount = format!("mount {}", shanty.root().display());
    wait_until(Duration::from_secs(30), || shanty.leaks().iter().all(|left| *left == mount));
    sweep(&shanty.root(), &shanty.id8().unwrap());
    drop(disk);
}

#[test]
fn a_full_disk_is_said_with_the_space_that_is_needed_and_harms_no_folders() {
    disk_full("folder");
}

#[test]
fn a_full_disk_is_said_with_the_space_that_is_needed_and_harms_no_indexed_layers() {
    disk_full("erofs");
}
