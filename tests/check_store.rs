//! The check of the store: every kind of damage is found and repaired, and a store that is whole gives no finding.

use crate::catalogue::make_child;
use crate::store::{Root, cx, make_container, make_image};
use crate::support::fixtures::Missing;
use crate::support::registry::Registry;
use crate::support::{Shanty, fixture_image, note_skip, require};
use rusqlite::Connection;
use serde_json::json;
use shanty::error::Error;
use shanty::image::{self, check_store};
use shanty::model::{Damage, Digest, StoreCheck};
use shanty::store::Store;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

fn check(store: &Store, repair: bool) -> StoreCheck {
    check_store(store, repair, &|_, _| Err(Error::not_found("nowhere")), &cx()).unwrap()
}

#[track_caller]
fn finds(store: &Store, kind: Damage) -> String {
    let found = check(store, false);
    let kinds: Vec<_> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [kind], "{:?}", found.findings);
    assert!(!found.is_healthy());
    found.findings[0].detail.clone()
}

#[track_caller]
fn is_whole(store: &Store) {
    let found = check(store, false);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

#[track_caller]
fn is_repaired(store: &Store) {
    let found = check(store, true);
    assert!(found.is_healthy() && !found.findings.is_empty(), "{:?}", found.findings);
    is_whole(store);
}

/// An image with two layers, and one made from it.
fn two_images(store: &Store) -> Digest {
    let id = make_image(store, "app:1", &["one", "two"]);
    make_child(store, "app:1", "child:1", "three");
    id
}

/// As on a machine that cannot mount indexed layers.
fn keep_folders(store: &Store) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let sql = "INSERT OR REPLACE INTO meta VALUES ('layer_form', ?1)";
    store.write(|tx| Ok(tx.execute(sql, [format!("{} folder", kernel.trim())])?)).unwrap();
}

fn top_layer(store: &Store, image: &Digest) -> PathBuf {
    image::prepare(store, image.hex()).unwrap().layers[0].clone()
}

/// A connection that may write rows which refer to nothing.
fn raw(root: &Root) -> Connection {
    let connection = Connection::open(root.path().join("shanty.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection
}

#[test]
fn a_store_that_is_whole_gives_no_finding() {
    let (_root, store) = Root::new();
    is_whole(&store);
    let id = two_images(&store);
    make_container(&store, "web", &id);
    let found = check(&store, true);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!((found.images, found.layers, found.blobs), (2, 3, 2 + 2 + 3));
}

#[test]
fn files_of_layers_that_were_changed_are_found_and_unpacked_again() {
    type Harm = fn(&Path);
    let cases: [(&str, Harm); 8] = [
        ("has 4 bytes, not 3", |folder| fs::write(folder.join("file"), "four").unwrap()),
        ("has another content", |folder| {
            let file = folder.join("file");
            let time = fs::metadata(&file).unwrap().modified().unwrap();
            fs::write(&file, "2wo").unwrap();
            fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        }),
        ("`file` is missing", |folder| fs::remove_file(folder.join("file")).unwrap()),
        ("`more` is not in the archive", |folder| fs::write(folder.join("more"), "x").unwrap()),
        ("has the mode 4755, not 644", |folder| {
            fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o4755)).unwrap();
        }),
        ("belongs to 1000:1000, not 0:0", |folder| chown(folder.join("file"), Some(1000), Some(1000)).unwrap()),
        ("is something else", |folder| {
            fs::remove_file(folder.join("file")).unwrap();
            symlink("/etc/passwd", folder.join("file")).unwrap();
        }),
        ("was changed at another time", |folder| {
            let file = fs::File::options().write(true).open(folder.join("file")).unwrap();
            file.set_modified(std::time::SystemTime::now()).unwrap();
        }),
    ];
    let (_root, store) = Root::new();
    keep_folders(&store);
    let id = two_images(&store);
    for (expected, harm) in cases {
        harm(&top_layer(&store, &id));
        let detail = finds(&store, Damage::LayerDamaged);
        assert!(detail.contains(expected), "{expected}: {detail}");
        is_repaired(&store);
    }
    fs::remove_dir_all(top_layer(&store, &id).parent().unwrap()).unwrap();
    finds(&store, Damage::LayerMissing);
    is_repaired(&store);
    assert_eq!(fs::read_to_string(top_layer(&store, &id).join("file")).unwrap(), "two");
}

#[test]
fn indexed_layers_are_compared_through_their_mounts() {
    let (_root, store) = Root::new();
    let id = two_images(&store);
    let chain: Digest = top_layer(&store, &id)
        .file_name()
        .unwrap()
        .to_str()
        .map(|hex| format!("sha256:{hex}"))
        .unwrap()
        .parse()
        .unwrap();
    let (tar, index) = store.layer_files(&chain);
    if !index.exists() {
        return note_skip(&Missing("a kernel that mounts indexed layers".into()));
    }
    let mut bytes = fs::read(&tar).unwrap();
    let at = bytes.windows(3).rposition(|window| window == b"two").unwrap();
    bytes[at] = b'T';
    fs::write(&tar, bytes).unwrap();
    assert!(finds(&store, Damage::LayerDamaged).contains("has another content"));
    is_repaired(&store);
    fs::write(&index, "no index").unwrap();
    finds(&store, Damage::LayerDamaged);
    is_repaired(&store);
    fs::remove_file(&tar).unwrap();
    finds(&store, Damage::LayerMissing);
    is_repaired(&store);
}

#[test]
fn a_layer_in_use_is_not_exchanged() {
    let (_root, store) = Root::new();
    keep_folders(&store);
    let id = two_images(&store);
    make_container(&store, "web", &id);
    store.write(|tx| Ok(tx.execute("UPDATE containers SET status = 'running'", [])?)).unwrap();
    fs::write(top_layer(&store, &id).join("file"), "four").unwrap();
    let found = check(&store, true);
    assert!(!found.is_healthy());
    assert!(found.findings[0].repair.contains("container `web` runs from it"), "{:?}", found.findings);
    store.write(|tx| Ok(tx.execute("UPDATE containers SET status = 'exited'", [])?)).unwrap();
    is_repaired(&store);
}

#[test]
fn rows_without_what_they_refer_to_are_dropped_or_corrected() {
    let (root, store) = Root::new();
    let id = two_images(&store);
    let gone = format!("sha256:{}", "e".repeat(64));
    for statement in [
        format!("INSERT INTO image_names VALUES ('docker.io/library/gone:1', '{gone}')"),
        format!("INSERT INTO image_digests VALUES ('docker.io/library/gone', '{gone}', '{gone}')"),
        format!(
            "INSERT INTO image_layers VALUES ('{gone}', 0, (SELECT chain_id FROM layers LIMIT 1), (SELECT blob FROM image_layers LIMIT 1))"
        ),
        format!(
            "INSERT INTO build_cache (key, chain_id, blob, step, created, used) VALUES ('k', '{gone}', (SELECT blob FROM image_layers LIMIT 1), '', 1, 1)"
        ),
        format!(
            "INSERT INTO build_cache (key, chain_id, blob, step, created, used) VALUES ('k', (SELECT chain_id FROM layers LIMIT 1), '{gone}', '', 1, 1)"
        ),
        format!(
            "DELETE FROM layers WHERE chain_id = (SELECT chain_id FROM image_layers WHERE image = '{id}' AND position = 1)"
        ),
    ] {
        raw(&root).execute(&statement, []).unwrap();
        let found = check(&store, false);
        assert!(found.findings.iter().any(|finding| finding.kind == Damage::StaleRow), "{statement}");
        is_repaired(&store);
    }
    raw(&root).execute("UPDATE layers SET size = 99, entries = 7", []).unwrap();
    let found = check(&store, true);
    assert_eq!(found.findings.iter().filter(|finding| finding.kind == Damage::LayerRow && finding.repaired).count(), 3);
    is_whole(&store);
    raw(&root).execute("DELETE FROM image_layers WHERE position = 1", []).unwrap();
    let found = check(&store, true);
    assert!(found.findings.iter().any(|finding| finding.kind == Damage::ImageRows && !finding.repaired));
}

#[test]
fn a_container_whose_image_is_gone_stays_wrong() {
    let (root, store) = Root::new();
    let id = two_images(&store);
    make_container(&store, "web", &id);
    image::remove(&store, "child:1", false).unwrap();
    image::remove(&store, id.hex(), true).unwrap();
    is_whole(&store);
    raw(&root).execute("DELETE FROM held_layers", []).unwrap();
    store.sweep().unwrap();
    assert!(finds(&store, Damage::ContainerWithoutImage).contains("not here"));
    assert!(!check(&store, true).is_healthy());
}

#[test]
fn files_that_belong_to_nothing_are_found_unless_somebody_adds_content() {
    let (root, store) = Root::new();
    two_images(&store);
    let name = "f".repeat(64);
    fs::write(root.path().join("blobs/sha256").join(&name), "x").unwrap();
    fs::create_dir(root.path().join("layers").join(&name)).unwrap();
    let other = Store::open(root.path()).unwrap();
    let content = other.content(&cx().cancel).unwrap();
    let found = check(&store, true);
    assert!(found.busy && found.findings.is_empty(), "{:?}", found.findings);
    drop(content);
    assert_eq!(check(&store, false).findings.len(), 2);
    is_repaired(&store);
    assert!(!root.path().join("layers").join(&name).exists());
}

#[test]
fn a_blob_without_a_registry_stays_wrong_and_that_of_a_build_step_is_forgotten() {
    let (_root, store) = Root::new();
    let id = two_images(&store);
    let blob: String = store
        .read(|db| {
            let sql = "SELECT blob FROM image_layers WHERE image = ?1 AND position = 0";
            Ok(db.query_row(sql, [id.to_string()], |row| row.get(0))?)
        })
        .unwrap();
    let path = store.blob_path(&blob.parse().unwrap());
    fs::write(&path, "damaged").unwrap();
    assert!(finds(&store, Damage::BlobDamaged).contains(id.short()));
    assert!(!check(&store, true).is_healthy());
    // Most of it may be right: it stays until a better one is there.
    finds(&store, Damage::BlobDamaged);
    assert_eq!(fs::read(&path).unwrap(), b"damaged");
    let pull = |_: &str, _: &shanty::model::Platform| {
        assert!(!path.exists(), "a pull would take it for whole");
        fs::write(&path, "another one").unwrap();
        Ok(())
    };
    store
        .write(|tx| {
            let sql = "INSERT INTO image_digests SELECT 'r.example/app', manifest, id FROM images WHERE id = ?1";
            Ok(tx.execute(sql, [id.to_string()])?)
        })
        .unwrap();
    check_store(&store, true, &pull, &cx()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"another one", "what was pulled stays");
    assert!(!store.has_partial_content(), "and the damaged one is gone");
}

#[test]
fn a_layer_is_not_thrown_away_for_a_blob_that_is_damaged() {
    let (_root, store) = Root::new();
    keep_folders(&store);
    let id = two_images(&store);
    let folder = top_layer(&store, &id);
    let sql = "SELECT blob FROM image_layers WHERE image = ?1 AND position = 1";
    let blob: String = store.read(|db| Ok(db.query_row(sql, [id.to_string()], |row| row.get(0))?)).unwrap();
    let path = store.blob_path(&blob.parse().unwrap());
    let mut bytes = fs::read(&path).unwrap();
    // Its header's operating system: what it unpacks to is the same.
    bytes[9] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::write(folder.join("more"), "x").unwrap();
    let found = check(&store, true);
    assert!(
        found.findings.iter().any(|finding| finding.repair.contains("its blob is not whole")),
        "{:?}",
        found.findings
    );
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "two");
}

#[test]
fn attributes_that_the_file_system_keeps_are_missed() {
    use std::os::fd::AsFd;
    let (source, target) = (tempfile::tempdir_in("/var/tmp").unwrap(), tempfile::tempdir_in("/var/tmp").unwrap());
    let mut tar = Vec::new();
    let pax = |name: &str, value: &str| {
        let rest = format!(" SCHILY.xattr.{name}={value}\n");
        format!("{}{rest}", rest.len() + 2)
    };
    let body = format!("{}{}", pax("user.kept", "yes"), pax("nowhere.kept", "yes"));
    for (name, kind, content) in [("pax", b'x', body.as_bytes()), ("file", b'0', b"text".as_slice())] {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend(header);
        tar.extend(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    fs::write(source.path().join("tar"), &tar).unwrap();
    let tree = target.path().join("tree");
    fs::create_dir(&tree).unwrap();
    shanty::archive::unpack(tar.as_slice(), &tree, &shanty::archive::Limits::default(), &cx()).unwrap();
    let differences = || shanty::archive::compare(tar.as_slice(), &tree, &cx()).unwrap().differences;
    assert!(differences().is_empty(), "no file system keeps `nowhere.`: {:?}", differences());
    let file = fs::File::open(tree.join("file")).unwrap();
    shanty::sys::xattr::set_open(file.as_fd(), c"user.kept", b"no").unwrap();
    assert_eq!(differences(), ["`file` has another value of the attribute `user.kept`"]);
    fs::remove_file(tree.join("file")).unwrap();
    fs::write(tree.join("file"), "text").unwrap();
    fs::File::options().write(true).open(tree.join("file")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(differences(), ["`file` has lost the attribute `user.kept`"]);
}

#[test]
fn a_check_finds_nothing_while_others_add_and_remove() {
    let (root, store) = Root::new();
    two_images(&store);
    let done = std::sync::atomic::AtomicBool::new(false);
    let path = root.path();
    std::thread::scope(|scope| {
        let done = &done;
        for worker in 0..3 {
            scope.spawn(move || {
                let store = Store::open(path).unwrap();
                let mut round = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let tag = format!("busy{worker}:1");
                    // One layer is shared by all of them, the others come and go.
                    make_image(
                        &store,
                        &tag,
                        &["shared", &format!("{worker} {round}"), &"x".repeat(round % 7 * 10_000)],
                    );
                    image::remove(&store, &tag, false).unwrap();
                    round += 1;
                }
            });
        }
        let checks: Vec<_> = (0..15).map(|round| check(&store, round % 2 == 1)).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for found in checks {
            assert!(found.findings.is_empty(), "{:?}", found.findings);
        }
    });
    is_whole(&store);
}

#[test]
fn a_check_can_be_cancelled_and_shows_how_far_it_is() {
    use shanty::context::{Context, Progress, ProgressItem};
    use std::sync::{Arc, Mutex};
    #[derive(Clone, Default)]
    struct Watch(Arc<Mutex<Vec<(String, u64, u64)>>>, Option<shanty::context::CancelToken>);
    struct Item(Watch, usize);
    impl Progress for Watch {
        fn start(&self, label: &str, total: Option<u64>) -> Box<dyn ProgressItem> {
            let mut items = self.0.lock().unwrap();
            items.push((label.to_owned(), total.unwrap(), 0));
            Box::new(Item(self.clone(), items.len() - 1))
        }
        fn note(&self, _: &str) {}
        fn warn(&self, _: &str) {}
    }
    impl ProgressItem for Item {
        fn advance(&self, bytes: u64) {
            self.0.0.lock().unwrap()[self.1].2 += bytes;
            if let Some(cancel) = &self.0.1 {
                cancel.cancel();
            }
        }
        fn phase(&self, _: &str) {}
    }
    let (_root, store) = Root::new();
    two_images(&store);
    let nowhere = |_: &str, _: &shanty::model::Platform| Err(Error::not_found("nowhere"));
    let watch = Watch::default();
    let context = Context { progress: Arc::new(watch.clone()), ..cx() };
    check_store(&store, false, &nowhere, &context).unwrap();
    let shown = watch.0.lock().unwrap().clone();
    assert_eq!(
        shown.iter().map(|(label, ..)| label.as_str()).collect::<Vec<_>>(),
        ["reading blobs", "comparing layers"]
    );
    assert!(shown.iter().all(|(_, total, done)| total == done && *total > 0), "{shown:?}");
    let context = cx();
    let watch = Watch(Arc::default(), Some(context.cancel.clone()));
    let context = Context { progress: Arc::new(watch), ..context };
    let error = check_store(&store, false, &nowhere, &context).unwrap_err();
    assert!(error.is(shanty::error::ErrorKind::Cancelled), "{error}");
}

#[test]
fn blobs_are_fetched_again_from_where_they_were_pulled() {
    let (source, registry) = require!(fixture_image("busybox"), Registry::start());
    require!(registry.copy(&source, "busybox:1"));
    let name = registry.name("busybox:1");
    let shanty = Shanty::new();
    shanty
        .eval(&format!(r#"image("{name}").pull().tag("busybox:1"); from("busybox:1").env("A", "1").tag("child:1")"#))
        .ok();
    let whole = shanty.call(&["check-store"]).ok();
    assert!(whole.stdout.contains("nothing is wrong"), "{whole}");
    let blobs = shanty.root().join("blobs/sha256");
    let (id, digest) = (shanty.json(r#"image("busybox:1").id"#), shanty.json(r#"image("busybox:1").digest"#));
    let path = |digest: &serde_json::Value| blobs.join(digest.as_str().unwrap().trim_start_matches("sha256:"));
    let largest = fs::read_dir(&blobs).unwrap().map(|blob| blob.unwrap().path());
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    for (path, kind) in [(largest, "blob_damaged"), (path(&id), "blob_missing"), (path(&digest), "blob_damaged")] {
        if kind == "blob_missing" {
            fs::remove_file(&path).unwrap();
        } else {
            fs::write(&path, "damaged").unwrap();
        }
        let found = shanty.call(&["check-store"]).output();
        assert_eq!(found.code, 1, "{found}");
        assert!(found.stdout.contains(kind) && found.stdout.contains("1 wrong, 0 repaired"), "{found}");
        let repaired = shanty.call(&["check-store", "--repair"]).ok();
        assert!(repaired.stdout.contains("1 repaired"), "{repaired}");
        assert_eq!(shanty.json("[check_store().healthy, check_store().findings]"), json!([true, []]));
    }
}
