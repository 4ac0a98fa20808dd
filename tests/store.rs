//! The store: what survives kill -9, what several processes may do at once, and what waits for the disk.

use crate::support::steps::build_alone;
use crate::support::{program, wait_until};
use shanty::archive::{Limits, unpack};
use shanty::context::Context;
use shanty::error::ErrorKind;
use shanty::image;
use shanty::model::{BuildPlan, BuildStep, Digest};
use shanty::store::{BlobDownload, LayerSlot, Store, UnpackedInfo, chain_id};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub struct Root {
    folder: TempDir,
    run_dir: PathBuf,
}

impl Root {
    pub fn new() -> (Self, Store) {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let store = Store::open(folder.path()).unwrap();
        let run_dir = store.run_dir().to_owned();
        (Self { folder, run_dir }, store)
    }
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn count(&self, folder: &str) -> usize {
        fs::read_dir(self.path().join(folder)).unwrap().count()
    }
    /// Layers, without the folder of those in the making.
    pub fn layers(&self) -> usize {
        self.count("layers") - 1
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        for mount in fs::read_dir(self.run_dir.join("layers")).into_iter().flatten().flatten() {
            let _ = nix::mount::umount2(&mount.path(), nix::mount::MntFlags::MNT_DETACH);
        }
        let _ = fs::remove_dir_all(&self.run_dir);
    }
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&<sha2::Sha256 as sha2::Digest>::digest(bytes))
}

pub fn cx() -> Context {
    Context::background()
}

/// An image of files with these contents, one layer each.
pub fn make_image(store: &Store, tag: &str, files: &[&str]) -> Digest {
    let step = |text: &&str| BuildStep::Write { path: "/file".into(), content: text.as_bytes().to_vec(), mode: None };
    let plan = BuildPlan { from: "scratch".into(), steps: files.iter().map(step).collect(), context: "/".into() };
    build_alone(store, plan, tag).unwrap()
}

pub fn make_container(store: &Store, name: &str, image: &Digest) {
    store
        .write(|tx| {
            image::ensure_present(tx, image)?;
            let id = shanty::model::Id::random()?;
            let sql = "INSERT INTO containers (id, name, image, image_id, spec, plan, created, status) VALUES (?1, ?2, 'x', ?3, '{}', '{}', 1, 'created')";
            tx.execute(sql, [id.as_str(), name, &image.to_string()])?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_download_goes_on_where_it_was_broken_off() {
    let (root, store) = Root::new();
    let bytes = vec![7u8; 100_000];
    let start = |store: &Store| match store
        .content(&cx().cancel)
        .unwrap()
        .download_blob(&digest(&bytes), 100_000, &cx().cancel)
        .unwrap()
    {
        BlobDownload::Needed(writer) => writer,
        BlobDownload::Present => panic!("not yet"),
    };
    let mut first = start(&store);
    first.write(&bytes[..60_000]).unwrap();
    drop(first);
    let mut second = start(&store);
    assert_eq!(second.offset(), 60_000);
    let mut partial = Vec::new();
    second.partial().unwrap().read_to_end(&mut partial).unwrap();
    assert_eq!(partial, bytes[..60_000]);
    second.write(&bytes[60_000..]).unwrap();
    second.commit().unwrap();
    assert_eq!(store.read_blob(&digest(&bytes), 1 << 20).unwrap(), bytes);
    assert_eq!(root.count("blobs/tmp"), 0);
}

#[test]
fn a_blob_that_is_not_what_was_announced_is_corrupt_and_thrown_away() {
    let (root, store) = Root::new();
    let content = store.content(&cx().cancel).unwrap();
    let wanted = digest(b"right");
    let attempts: [(&[u8], &str); 3] = [(b"wrong", "other bytes"), (b"righ", "too short"), (b"rightt", "too long")];
    for (bytes, what) in attempts {
        let BlobDownload::Needed(mut writer) = content.download_blob(&wanted, 5, &cx().cancel).unwrap() else {
            panic!("{what}")
        };
        assert_eq!(writer.offset(), 0, "{what}");
        let result = writer.write(bytes).and_then(|()| writer.commit());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt, "{what}");
        assert!(!store.has_blob(&wanted), "{what}");
    }
    assert_eq!(root.count("blobs/tmp"), 0);
}

#[test]
fn several_that_want_the_same_blob_and_layer_fetch_and_unpack_it_once() {
    let (root, _store) = Root::new();
    let bytes = vec![3u8; 300_000];
    let (fetched, unpacked, barrier) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(8));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // Each as a process of its own would: `flock` tells open files apart, not processes.
                let store = Store::open(root.path()).unwrap();
                barrier.wait();
                let content = store.content(&cx().cancel).unwrap();
                let diff = digest(b"diff");
                if let LayerSlot::Needed(draft) = content.layer(&chain_id(None, &diff), &cx().cancel).unwrap() {
                    unpacked.fetch_add(1, Ordering::SeqCst);
                    if let BlobDownload::Needed(mut writer) =
                        content.download_blob(&digest(&bytes), 300_000, &cx().cancel).unwrap()
                    {
                        fetched.fetch_add(1, Ordering::SeqCst);
                        bytes.chunks(1000).for_each(|chunk| writer.write(chunk).unwrap());
                        writer.commit().unwrap();
                    }
                    fs::write(draft.folder().unwrap().join("file"), "whole").unwrap();
                    draft.commit(UnpackedInfo { diff_id: diff.clone(), size: 5, entries: 1 }).unwrap();
                }
                assert!(store.has_blob(&digest(&bytes)));
                assert_eq!(fs::read(store.layer_folder(&diff).join("file")).unwrap(), b"whole");
            });
        }
    });
    assert_eq!((fetched.into_inner(), unpacked.into_inner()), (1, 1));
}

#[test]
fn who_waits_for_a_download_of_another_can_be_cancelled() {
    let (_root, store) = Root::new();
    let content = store.content(&cx().cancel).unwrap();
    let _held = content.download_blob(&digest(b"x"), 1, &cx().cancel).unwrap();
    let patient = cx().with_timeout(Some(Duration::from_millis(50)));
    let error = content.download_blob(&digest(b"x"), 1, &patient.cancel).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn removing_an_image_takes_what_no_other_image_has() {
    let (root, store) = Root::new();
    make_image(&store, "one", &["shared", "own of one"]);
    make_image(&store, "two", &["shared", "own of two"]);
    assert_eq!((root.layers(), root.count("blobs/sha256")), (3, 3 + 2 + 2));
    image::remove(&store, "one", false).unwrap();
    assert_eq!((root.layers(), root.count("blobs/sha256")), (2, 2 + 1 + 1));
    let two = image::prepare(&store, "two").unwrap();
    let _used = store.use_layers(&two.layers).unwrap();
    assert_eq!(fs::read_to_string(two.layers[0].join("file")).unwrap(), "own of two");
    assert_eq!(fs::read_to_string(two.layers[1].join("file")).unwrap(), "shared");
    image::remove(&store, "two", false).unwrap();
    assert_eq!((root.layers(), root.count("blobs/sha256")), (0, 0));
    store.empty_trash();
    assert_eq!(root.count("trash"), 0);
}

#[test]
fn an_image_goes_with_its_last_name_and_not_while_a_container_uses_it() {
    let (_root, store) = Root::new();
    let id = make_image(&store, "app:1", &["x"]);
    image::tag(&store, "app:1", "app:2").unwrap();
    let several = image::remove(&store, id.hex(), false).unwrap_err();
    assert_eq!(several.kind(), ErrorKind::Conflict);
    image::remove(&store, "app:1", false).unwrap();
    assert_eq!(image::find(&store, "app:2").unwrap(), Some(id.clone()));
    make_container(&store, "web", &id);
    let used = image::remove(&store, "app:2", false).unwrap_err();
    assert_eq!(used.kind(), ErrorKind::Conflict);
    assert!(used.message().contains("`web`"), "{used:?}");
    store.write(|tx| Ok(tx.execute("DELETE FROM containers", [])?)).unwrap();
    image::remove(&store, "app:2", false).unwrap();
    assert_eq!(image::find(&store, id.hex()).unwrap(), None);
    let gone = store.write(|tx| image::ensure_present(tx, &id)).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn images_are_found_by_id_name_and_prefix_and_others_are_suggested() {
    let (_root, store) = Root::new();
    let id = make_image(&store, "127.0.0.1:5000/team/app:1.2", &["x"]);
    for text in [&id.to_string(), id.hex(), id.short(), &id.to_string()[..12], "127.0.0.1:5000/team/app:1.2"] {
        assert_eq!(image::require(&store, text).unwrap(), id, "{text}");
    }
    let near = image::require(&store, "127.0.0.1:5000/team/app:1.3").unwrap_err();
    assert_eq!(near.kind(), ErrorKind::NotFound);
    assert!(near.hint_text().unwrap().contains("127.0.0.1:5000/team/app:1.2"), "{near:?}");
    let far = image::require(&store, "node").unwrap_err();
    assert!(far.hint_text().unwrap().contains("pull()"), "{far:?}");
    assert_eq!(image::require(&store, "Not a name").unwrap_err().kind(), ErrorKind::Invalid);
    image::untag(&store, id.hex(), "127.0.0.1:5000/team/app:1.2").unwrap();
    assert_eq!(image::info(&store, &id).unwrap().tags, Vec::<String>::new());
    assert_eq!(image::untag(&store, id.hex(), "other").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn nothing_is_swept_while_somebody_adds_content() {
    let (root, store) = Root::new();
    let content = store.content(&cx().cancel).unwrap();
    let blob = content.put_blob(b"pulled a moment ago").unwrap();
    let other = Store::open(root.path()).unwrap();
    assert!(other.sweep().unwrap().busy);
    assert!(store.has_blob(&blob));
    drop(content);
    let swept = other.sweep().unwrap();
    assert_eq!((swept.busy, swept.blobs), (false, 1));
    assert!(!store.has_blob(&blob));
}

/// What a child of [`role`] does until it is killed; one a role.
fn play(role: &str, root: &Path) {
    let store = Store::open(root).unwrap();
    let ready = || println!("ready");
    match role {
        "half a blob" => {
            let content = store.content(&cx().cancel).unwrap();
            let BlobDownload::Needed(mut writer) = content.download_blob(&digest(b"whole"), 5, &cx().cancel).unwrap()
            else {
                panic!()
            };
            writer.write(b"who").unwrap();
            let _new = content.new_blob().unwrap();
            ready();
            wait_to_be_killed();
        }
        "half a layer" => {
            let content = store.content(&cx().cancel).unwrap();
            let LayerSlot::Needed(draft) = content.layer(&digest(b"chain"), &cx().cancel).unwrap() else { panic!() };
            fs::write(draft.folder().unwrap().join("half"), "x").unwrap();
            ready();
            wait_to_be_killed();
        }
        "an image without its row" => {
            let content = store.content(&cx().cancel).unwrap();
            content.put_blob(b"config").unwrap();
            let LayerSlot::Needed(draft) = content.layer(&digest(b"chain"), &cx().cancel).unwrap() else { panic!() };
            draft.commit(UnpackedInfo { diff_id: digest(b"chain"), size: 0, entries: 0 }).unwrap();
            ready();
            wait_to_be_killed();
        }
        "a row" => {
            // As the start of a container does it.
            make_container(&store, &format!("c{}", std::process::id()), &image::require(&store, "app").unwrap());
        }
        other => panic!("unknown role {other}"),
    }
}

fn wait_to_be_killed() {
    loop {
        std::thread::park();
    }
}

#[test]
#[ignore = "plays a part for other tests of this file"]
fn role() {
    play(&std::env::var("ROLE").unwrap(), Path::new(&std::env::var_os("ROLE_ROOT").unwrap()));
}

fn role_command(role: &str, root: &Path, wrapper: Option<&mut Command>) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        None => Command::new(exe),
        Some(wrapper) => {
            let mut command = Command::new(wrapper.get_program());
            command.args(wrapper.get_args()).arg(exe);
            command
        }
    };
    command
        .args(["--exact", "store::role", "--ignored", "--nocapture", "--test-threads=1"])
        .env("ROLE", role)
        .env("ROLE_ROOT", root);
    command
}

/// Starts a child, and waits until it has come to the point where it is to be killed.
fn start_role(role: &str, root: &Path) -> Child {
    let mut child = role_command(role, root, None).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut text = String::new();
    let mut byte = [0];
    while !text.contains("ready\n") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{role}: {text}");
        text.push(byte[0] as char);
    }
    child
}

#[test]
fn what_a_killed_process_left_is_swept_and_a_half_blob_is_resumed() {
    let cases = [("half a blob", 1, 0, 0), ("half a layer", 1, 0, 0), ("an image without its row", 0, 1, 1)];
    for (role, partial, blobs, layers) in cases {
        let (root, store) = Root::new();
        let mut child = start_role(role, root.path());
        assert!(store.sweep().unwrap().busy, "{role}");
        child.kill().unwrap();
        child.wait().unwrap();
        if role == "half a blob" {
            let content = store.content(&cx().cancel).unwrap();
            let BlobDownload::Needed(writer) = content.download_blob(&digest(b"whole"), 5, &cx().cancel).unwrap()
            else {
                panic!()
            };
            assert_eq!(writer.offset(), 3);
        }
        let swept = store.sweep().unwrap();
        assert_eq!((swept.busy, swept.partial, swept.blobs, swept.layers), (false, partial, blobs, layers), "{role}");
        assert_eq!((root.count("layers/tmp"), root.count("trash")), (0, 0), "{role}");
        let kept = usize::from(role == "half a blob");
        assert_eq!(root.count("blobs/tmp"), kept, "{role}");
        assert_eq!((root.layers(), root.count("blobs/sha256")), (0, 0), "{role}");
    }
}

#[test]
fn a_layer_that_was_left_half_is_made_again_by_the_next_one() {
    let (root, store) = Root::new();
    let mut child = start_role("half a layer", root.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let content = store.content(&cx().cancel).unwrap();
    let LayerSlot::Needed(draft) = content.layer(&digest(b"chain"), &cx().cancel).unwrap() else { panic!() };
    assert_eq!(fs::read_dir(draft.folder().unwrap()).unwrap().count(), 0);
}

#[test]
fn a_layer_without_a_row_counts_only_until_the_next_boot() {
    let (_root, store) = Root::new();
    let content = store.content(&cx().cancel).unwrap();
    let chain = digest(b"chain");
    let LayerSlot::Needed(draft) = content.layer(&chain, &cx().cancel).unwrap() else { panic!() };
    let layer = draft.commit(UnpackedInfo { diff_id: chain.clone(), size: 0, entries: 0 }).unwrap();
    assert!(matches!(content.layer(&chain, &cx().cancel).unwrap(), LayerSlot::Present(_)));
    let note = layer.folder().parent().unwrap().join("layer.json");
    let text = fs::read_to_string(&note).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(&note, text.replace(boot.trim(), "another boot")).unwrap();
    let LayerSlot::Needed(draft) = content.layer(&chain, &cx().cancel).unwrap() else { panic!("of another boot") };
    draft.commit(layer.info).unwrap();
    fs::write(&note, "to").unwrap();
    assert!(matches!(content.layer(&chain, &cx().cancel).unwrap(), LayerSlot::Needed(_)));
}

#[test]
fn a_row_is_written_without_waiting_for_the_disk() {
    let strace = crate::require!(program("strace"));
    let (root, store) = Root::new();
    make_image(&store, "app", &["x"]);
    drop(store);
    let log = root.path().join("trace");
    let mut wrapper = Command::new(strace);
    wrapper.args(["-f", "-e", "trace=fsync,fdatasync,sync,syncfs,msync,sync_file_range,openat", "-o"]).arg(&log);
    // Twice: the first one also reads the log that others left.
    for _ in 0..2 {
        let status = role_command("a row", root.path(), Some(&mut wrapper)).stdout(Stdio::null()).status().unwrap();
        assert!(status.success());
        let trace = fs::read_to_string(&log).unwrap();
        assert!(trace.contains("shanty.db"), "strace saw nothing");
        let waits: Vec<_> = trace
            .lines()
            .filter(|line| line.contains("sync(") || line.contains("syncfs(") || line.contains("fdatasync("))
            .collect();
        assert_eq!(waits, Vec::<&str>::new());
    }
    let rows: i64 = Store::open(root.path())
        .unwrap()
        .read(|db| Ok(db.query_row("SELECT count(*) FROM containers", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(rows, 2);
}

#[test]
fn several_processes_may_make_a_root_at_once() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let barrier = Barrier::new(6);
    let ids = std::thread::scope(|scope| {
        let open = || {
            barrier.wait();
            let store = Store::open(&folder.path().join("deep/root")).unwrap();
            (store.root_id().to_owned(), store.run_dir().to_owned())
        };
        let openers: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    fs::remove_dir_all(&ids[0].1).unwrap();
}

/// A small file system that is full soon; unmounted when dropped.
struct Small(TempDir);

impl Small {
    fn new(size: &str) -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_io_with_a_hint_and_leaves_nothing_half() {
    let small = Small::new("3m");
    let store = Store::open(small.0.path()).unwrap();
    let bytes = vec![9u8; 8 << 20];
    let content = store.content(&cx().cancel).unwrap();
    let BlobDownload::Needed(mut writer) =
        content.download_blob(&digest(&bytes), bytes.len() as u64, &cx().cancel).unwrap()
    else {
        panic!()
    };
    let error = bytes.chunks(4096).try_for_each(|chunk| writer.write(chunk)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.hint_text().unwrap().contains("free some space"), "{error:?}");
    writer.restart().unwrap();
    drop(writer);

    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, "big", &bytes[..]).unwrap();
    let archive = tar.into_inner().unwrap();
    let LayerSlot::Needed(draft) = content.layer(&digest(b"chain"), &cx().cancel).unwrap() else { panic!() };
    let error = unpack(&archive[..], &draft.folder().unwrap(), &Limits::default(), &cx()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.hint_text().is_some(), "{error:?}");
    drop(draft);
    // The space is there again.
    content.put_blob(&bytes[..1 << 20]).unwrap();
    fs::remove_dir_all(store.run_dir()).unwrap();
}

/// A container that fills the disk takes every block that is free at any moment: the database must not need one.
#[test]
fn the_database_needs_no_space_on_a_full_disk() {
    let small = Small::new("32m");
    let root = small.0.path();
    let store = Store::open(root).unwrap();
    make_image(&store, "app", &["x"]);
    let run_dir = store.run_dir().to_owned();
    // Its file has grown before, as that of any root in use.
    let note = |store: &Store, note: &str| {
        let sql = "INSERT OR REPLACE INTO meta VALUES ('note', ?1)";
        store.write(|tx| Ok(tx.execute(sql, [note])?)).map(drop)
    };
    note(&store, &"x".repeat(1 << 20)).unwrap();
    store.checkpoint_if_large().unwrap();
    note(&store, "").unwrap();
    drop(store);
    fill(&root.join("full"));
    let rows = |expected: i64| {
        let store = Store::open(root).unwrap();
        let rows =
            store.read(|db| Ok(db.query_row("SELECT count(*) FROM containers", [], |row| row.get::<_, i64>(0))?));
        assert_eq!(rows.unwrap(), expected);
        store
    };
    // Each is the only process that has the database open.
    for _ in 0..20 {
        let status = role_command("a row", root, None).stdout(Stdio::null()).status().unwrap();
        assert!(status.success());
    }
    let store = rows(20);
    // More than the log may take: it is written from its beginning again and again, and keeps what it has.
    for count in 0..3000 {
        note(&store, &count.to_string()).unwrap();
        store.checkpoint_if_large().unwrap();
        fill(&root.join("more"));
    }
    fs::remove_file(root.join("full")).unwrap();
    fs::remove_file(root.join("more")).unwrap();
    // With space again it is made short, and gets its blocks back.
    let log = || fs::metadata(root.join("shanty.db-wal")).unwrap();
    assert!(store.log_is_large());
    store.checkpoint_if_large().unwrap();
    assert!(!store.log_is_large());
    assert!(log().blocks() * 512 > log().len() + (2 << 20), "{} blocks", log().blocks());
    drop(rows(20));
    fs::remove_dir_all(run_dir).unwrap();
}

/// Takes all the space that there is.
fn fill(path: &Path) {
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    for part in [64 << 10, 4 << 10, 1] {
        while file.write_all(&vec![0; part]).is_ok() {}
    }
}

#[test]
fn a_damaged_blob_is_corrupt_when_it_is_read() {
    let (_root, store) = Root::new();
    let id = make_image(&store, "app", &["x"]);
    fs::write(store.blob_path(&id), "{}").unwrap();
    assert_eq!(image::prepare(&store, "app").unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_reader_sees_what_another_process_has_written() {
    let (root, store) = Root::new();
    let mut child = role_command("an image without its row", root.path(), None).stdout(Stdio::null()).spawn().unwrap();
    wait_until(Duration::from_secs(20), || root.layers() == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let content = store.content(&cx().cancel).unwrap();
    assert!(matches!(content.layer(&digest(b"chain"), &cx().cancel).unwrap(), LayerSlot::Present(_)));
}
