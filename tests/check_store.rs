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
            "INSERT INTO build_cache (key, chain_id, blob, blob_size) VALUES ('k', '{gone}', (SELECT blob FROM image_layers LIMIT 1), 1)"
        ),
        format!(
            "INSERT INTO build_cache (key, chain_id, blob, blob_size) VALUES ('k', (SELECT chain_id FROM layers LIMIT 1), '{gone}', 1)"
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
    finds(&store, Damage::BlobMissing);
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
