//! Images as rows: who is removed with whom, by Docker's rules, and that an old root keeps its images.

use crate::store::{Root, cx, make_container, make_image};
use crate::support::steps::build_alone;
use shanty::error::ErrorKind;
use shanty::image;
use shanty::model::{BuildPlan, BuildStep, Digest, ImageFilter, ImageRemoval};
use shanty::store::Store;

/// An image made from another one by one more layer.
pub fn make_child(store: &Store, from: &str, tag: &str, text: &str) -> Digest {
    let write = BuildStep::Write { path: "/child".into(), content: text.as_bytes().to_vec(), mode: None };
    build_alone(store, BuildPlan { from: from.into(), steps: vec![write], context: "/".into() }, tag).unwrap()
}

fn remove(store: &Store, text: &str, force: bool) -> std::result::Result<ImageRemoval, ErrorKind> {
    image::remove(store, text, force).map_err(|error| error.kind())
}

fn exists(store: &Store, id: &Digest) -> bool {
    image::find(store, id.hex()).unwrap().is_some()
}

fn set_status(store: &Store, status: &str) {
    store.write(|tx| Ok(tx.execute("UPDATE containers SET status = ?1", [status])?)).unwrap();
}

#[test]
fn removing_says_what_went_as_docker_does() {
    let (root, store) = Root::new();
    let id = make_image(&store, "app:1", &["one", "two"]);
    image::tag(&store, "app:1", "other:1").unwrap();
    let first = remove(&store, "app:1", false).unwrap();
    assert_eq!((first.untagged, first.deleted, first.freed), (vec!["app:1".to_owned()], vec![], 0));
    let chains: Vec<String> = store
        .read(|db| {
            let mut statement = db.prepare("SELECT chain_id FROM image_layers ORDER BY position DESC")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?)
        })
        .unwrap();
    let on_disk: u64 = std::fs::read_dir(root.path().join("blobs/sha256"))
        .unwrap()
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    let mut kept = 0;
    for layer in std::fs::read_dir(root.path().join("layers")).unwrap() {
        let indexed = ["layer.tar", "layer.erofs"].map(|name| layer.as_ref().unwrap().path().join(name));
        kept += indexed.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum::<u64>();
    }
    // Unpacked, they are their files: `one` and `two`.
    let kept = if kept == 0 { 6 } else { kept };
    let last = remove(&store, id.short(), false).unwrap();
    assert_eq!(last.untagged, ["other:1"]);
    assert_eq!(last.deleted, [vec![id.to_string()], chains].concat());
    assert_eq!(last.freed, on_disk + kept);
}

#[test]
fn a_digest_is_a_name_of_its_own_and_goes_with_the_last_tag_of_its_repository() {
    let (_root, store) = Root::new();
    let id = make_image(&store, "app:1", &["x"]);
    let known = |repository: &str| {
        let sql = "INSERT INTO image_digests VALUES (?1, ?2, ?3)";
        let digest = format!("sha256:{}", "d".repeat(64));
        store
            .write(|tx| Ok(tx.execute(sql, [&format!("docker.io/library/{repository}"), &digest, &id.to_string()])?))
            .unwrap();
        format!("{repository}@{digest}")
    };
    let digest = known("app");
    image::tag(&store, "app:1", "app:2").unwrap();
    assert_eq!(remove(&store, "app:1", false).unwrap().untagged, ["app:1"]);
    // One name and one digest of the same repository are a single reference: the id suffices.
    image::tag(&store, "app:2", "other:1").unwrap();
    assert_eq!(remove(&store, id.hex(), false), Err(ErrorKind::Conflict));
    assert_eq!(remove(&store, "app:2", false).unwrap().untagged, ["app:2", &digest]);
    assert!(exists(&store, &id));
    let digest = known("app");
    assert_eq!(remove(&store, &digest, false).unwrap().untagged, [digest.as_str()]);
    let digest = known("other");
    let gone = remove(&store, id.hex(), false).unwrap();
    assert_eq!(gone.untagged, ["other:1", digest.as_str()]);
    assert!(!exists(&store, &id));
}

#[test]
fn what_others_were_made_from_stays_without_a_name_and_goes_with_the_last_of_them() {
    let (root, store) = Root::new();
    let base = make_image(&store, "base:1", &["base"]);
    let (one, two) = (make_child(&store, "base:1", "one:1", "1"), make_child(&store, "base:1", "two:1", "2"));
    for force in [false, true] {
        assert_eq!(remove(&store, base.hex(), force), Err(ErrorKind::Conflict), "it has children");
    }
    let untagged = remove(&store, "base:1", false).unwrap();
    assert_eq!((untagged.untagged, untagged.deleted), (vec!["base:1".to_owned()], vec![]));
    assert!(exists(&store, &base));
    let ids = |filter: &ImageFilter| -> Vec<Digest> {
        image::list(&store, filter).unwrap().into_iter().map(|image| image.id).collect()
    };
    assert!(!ids(&ImageFilter::default()).contains(&base), "what only its children need is no image to people");
    assert!(ids(&ImageFilter { all: true, ..ImageFilter::default() }).contains(&base));
    assert_eq!(remove(&store, "one:1", false).unwrap().deleted[0], one.to_string());
    assert!(exists(&store, &base), "its other child needs it");
    let last = remove(&store, "two:1", false).unwrap();
    assert!(last.deleted.contains(&two.to_string()) && last.deleted.contains(&base.to_string()), "{last:?}");
    assert_eq!((root.layers(), root.count("blobs/sha256")), (0, 0));
}

#[test]
fn an_image_in_use_needs_force_and_its_layers_stay_as_long_as_the_container() {
    let (root, store) = Root::new();
    let id = make_image(&store, "app:1", &["x"]);
    make_container(&store, "web", &id);
    assert_eq!(remove(&store, "app:1", false), Err(ErrorKind::Conflict));
    assert_eq!(remove(&store, id.hex(), false), Err(ErrorKind::Conflict));
    let says = |text: &str, message: &str, hint: &str| {
        let error = image::remove(&store, text, false).unwrap_err();
        assert_eq!(error.message(), message);
        assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
    };
    says("app:1", "cannot remove image `app:1`: container `web` was made from it", "`.remove(#{ force: true })`");
    for name in ["a", "b", "c", "d", "e", "f"] {
        make_container(&store, name, &id);
    }
    let all = format!(
        "cannot remove image `{}`: containers `a`, `b`, `c`, `d`, `e` and 2 more were made from it",
        id.short()
    );
    says(&id.to_string(), &all, "remove them first");
    let sql = "UPDATE containers SET status = 'running' WHERE name IN ('a', 'e')";
    store.write(|tx| Ok(tx.execute(sql, [])?)).unwrap();
    says(
        "app:1",
        "cannot remove image `app:1`: containers `a` and `e` run from it",
        r#"container("a").remove(#{ force: true })"#,
    );
    store.write(|tx| Ok(tx.execute("DELETE FROM containers WHERE name <> 'web'", [])?)).unwrap();
    set_status(&store, "running");
    assert_eq!(remove(&store, id.hex(), true), Err(ErrorKind::Conflict), "it runs");
    assert_eq!(remove(&store, "app:1", true).unwrap().deleted, Vec::<String>::new(), "only its name goes");
    assert!(exists(&store, &id));
    set_status(&store, "exited");
    assert_eq!(remove(&store, id.hex(), true).unwrap().deleted, [id.to_string()]);
    assert!(!exists(&store, &id));
    assert_eq!((root.layers(), root.count("blobs/sha256")), (1, 0), "the container keeps its layers");
    store.sweep().unwrap();
    assert_eq!(root.layers(), 1);
    store.write(|tx| Ok(tx.execute("DELETE FROM containers", [])?)).unwrap();
    store.take_out_garbage().unwrap();
    assert_eq!((root.layers(), root.count("blobs/sha256")), (0, 0));
}

#[test]
fn the_steps_of_a_history_have_the_ids_of_the_images_that_ended_with_them() {
    let (_root, store) = Root::new();
    let parent = make_image(&store, "app:1", &["one", "two"]);
    let env = |name: &str| BuildStep::Write { path: name.into(), content: b"x".to_vec(), mode: None };
    let steps = vec![env("/a"), env("/b"), env("/c")];
    let plan = BuildPlan { from: "app:1".into(), steps, context: "/".into() };
    let child = build_alone(&store, plan, "child:1").unwrap();
    let ids: Vec<_> = image::history(&store, &child).unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [&child.to_string(), "<missing>", "<missing>", &parent.to_string(), "<missing>"]);
}

#[test]
fn what_an_image_let_go_of_waits_for_those_who_add_content_and_stays_when_they_need_it() {
    let (root, store) = Root::new();
    make_image(&store, "app:1", &["x"]);
    let other = Store::open(root.path()).unwrap();
    let content = other.content(&cx().cancel).unwrap();
    remove(&store, "app:1", false).unwrap();
    assert_eq!((root.layers(), root.count("blobs/sha256")), (1, 3));
    assert!(store.has_garbage().unwrap());
    // The same image comes again meanwhile.
    let id = make_image(&other, "app:1", &["x"]);
    drop(content);
    store.take_out_garbage().unwrap();
    assert!(!store.has_garbage().unwrap());
    assert_eq!((root.layers(), root.count("blobs/sha256")), (1, 3));
    assert!(image::prepare(&store, id.hex()).is_ok());
}

#[test]
fn a_root_of_an_older_version_keeps_its_images() {
    let (root, store) = Root::new();
    let id = make_image(&store, "app:1", &["x"]);
    let before = image::info(&store, &id).unwrap();
    // As it was before the catalogue.
    store
        .write(|tx| {
            for statement in [
                "DROP INDEX images_by_parent",
                "DROP INDEX images_by_manifest",
                "DROP INDEX image_layers_by_blob",
                "DROP TABLE build_cache",
                "CREATE TABLE build_cache (key TEXT PRIMARY KEY, chain_id TEXT NOT NULL, blob TEXT NOT NULL, blob_size INTEGER NOT NULL)",
                "DROP TABLE held_layers",
                "DROP TABLE garbage",
                "DROP TABLE volume_users",
                "DROP TABLE volumes",
                "DROP INDEX addresses_by_ip6",
                "ALTER TABLE addresses DROP COLUMN ip6",
            ] {
                tx.execute(statement, [])?;
            }
            for column in ["summary", "parent", "touched", "touched_by", "tagged"] {
                tx.execute(&format!("ALTER TABLE images DROP COLUMN {column}"), [])?;
            }
            for column in ["gateway", "subnet6", "gateway6", "is_asked", "ipv6", "internal", "own_mtu", "labels"] {
                tx.execute(&format!("ALTER TABLE networks DROP COLUMN {column}"), [])?;
            }
            Ok(tx.pragma_update(None, "user_version", 2)?)
        })
        .unwrap();
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(format!("{:?}", image::info(&store, &id).unwrap()), format!("{before:?}"));
    let kept: String = store.read(|db| Ok(db.query_row("SELECT summary FROM images", [], |row| row.get(0))?)).unwrap();
    assert!(kept.contains("linux"), "{kept}");
    remove(&store, "app:1", false).unwrap();
    assert_eq!((root.layers(), root.count("blobs/sha256")), (0, 0));
}
