//! A command is killed at each of its syncs and renames: the store is whole, no image is lost, what was being made is there
//! wholly or not at all, and the next commands tidy up.

use crate::support::busybox::with_busybox;
use crate::support::deadly::{self, End, Moment};
use crate::support::fixtures::Missing;
use crate::support::registry::{Image, Registry, tar_of};
use crate::support::{Shanty, note_skip, require, sweep, wait_until};
use rusqlite::config::DbConfig;
use shanty::context::Context;
use shanty::error::Error;
use shanty::image::check_store;
use shanty::model::{Damage, StoreCheck};
use shanty::store::Store;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

/// A command on a root, and what it is to leave.
struct Scenario {
    /// What is killed.
    code: String,
    /// Names of images that stay, whatever happens.
    keeps: &'static [&'static str],
    /// Whether all that it changes changes at once.
    at_once: bool,
}

/// A root of its own for each death: a copy of a prepared one.
struct Copied<'a> {
    shanty: &'a Shanty,
    form: &'a str,
    folder: TempDir,
    id: String,
}

impl<'a> Copied<'a> {
    fn of(shanty: &'a Shanty, form: &'a str) -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let id = shanty::model::Id::random().unwrap().as_str().to_owned();
        let copied = Self { shanty, form, folder, id };
        let status =
            Command::new("cp").args(["-a", "--reflink=auto"]).arg(shanty.root()).arg(copied.root()).status().unwrap();
        assert!(status.success());
        // It is another root: its locks and mounts are its own.
        let database = rusqlite::Connection::open(copied.root().join("shanty.db")).unwrap();
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        database.execute("UPDATE meta SET value = ?1 WHERE key = 'root_id'", [&copied.id]).unwrap();
        copied
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn command(&self, code: &str) -> Command {
        let call = self.shanty.call(&["eval", "--json", code]);
        call.env("SHANTY_ROOT", self.root()).env("SHANTY_LAYERS", self.form).into_command()
    }

    #[track_caller]
    fn json(&self, code: &str) -> serde_json::Value {
        let output = self.command(code).output().unwrap();
        assert!(output.status.success(), "{code}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The names of its images, by the next command.
    fn images(&self) -> BTreeSet<String> {
        let names = self.json("let names = []; for i in images() { names += i.tags; } names");
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// What is half done, or waits for its deletion.
    fn left_over(&self) -> Vec<PathBuf> {
        let folders = ["blobs/tmp", "layers/tmp", "trash"];
        let entries = folders.iter().flat_map(|folder| std::fs::read_dir(self.root().join(folder)).unwrap().flatten());
        // A blob with the name of its digest is what the next pull goes on with.
        let resumable = |path: &Path| path.parent().unwrap().ends_with("blobs/tmp") && name(path).len() == 64;
        entries.map(|entry| entry.path()).filter(|path| !resumable(path)).collect()
    }

    fn check(&self, store: &Store, repair: bool) -> StoreCheck {
        check_store(store, repair, &|_, _| Err(Error::not_found("nowhere")), &Context::background()).unwrap()
    }
}

impl Drop for Copied<'_> {
    fn drop(&mut self) {
        sweep(&self.root(), &self.id[..8]);
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl Scenario {
    fn run(&self, root: &Copied<'_>, death: Option<(usize, Moment)>) -> End {
        deadly::run(root.command(&self.code), death)
    }

    /// Kills it everywhere, each time on a copy of this root.
    fn kill_everywhere(&self, shanty: &Shanty, form: &str) {
        let whole = Copied::of(shanty, form);
        let before = whole.images();
        let end = self.run(&whole, None);
        assert!(end.success, "{}", end.output);
        let after = whole.images();
        self.is_whole(&whole, "nobody was killed", true);
        assert_ne!(before, after);
        assert!(end.calls.iter().any(|call| call.starts_with("rename")), "{:?}", end.calls);
        assert!(end.calls.iter().any(|call| call.contains("sync")), "{:?}", end.calls);
        // After a sync nothing is on the disk that is not there before the next call.
        let renames = end.calls.iter().enumerate().filter(|(_, call)| call.starts_with("rename"));
        let after_them = renames.map(|(index, _)| (index + 1, Moment::After));
        let deaths: Vec<_> = (1..=end.calls.len()).map(|number| (number, Moment::Before)).chain(after_them).collect();
        // How threads take turns changes the number of calls by a few: what is never come to kills nobody.
        let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            while let Some(death) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let died = self.kill_once(shanty, form, *death, &before, &after);
                killed.fetch_add(usize::from(died), Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
        assert!(killed.into_inner() * 10 >= deaths.len() * 9, "{:?}", end.calls);
    }

    fn kill_once(
        &self,
        shanty: &Shanty,
        form: &str,
        death: (usize, Moment),
        before: &BTreeSet<String>,
        after: &BTreeSet<String>,
    ) -> bool {
        let root = Copied::of(shanty, form);
        let end = self.run(&root, Some(death));
        let what = format!("{form}: killed {:?} call {}, `{}`", death.1, death.0, end.calls.last().unwrap_or(&"none"));
        let found = root.images();
        for kept in self.keeps {
            assert!(found.contains(*kept), "{what}: `{kept}` is lost: {found:?}");
        }
        if self.at_once {
            assert!(found == *before || found == *after, "{what}: {found:?}");
        }
        if !end.killed {
            assert!(end.success && found == *after, "{what}: {}", end.output);
        }
        self.is_whole(&root, &what, death.0.is_multiple_of(8));
        // It can be done again, to the same end.
        if found != *after {
            root.json(&self.code);
            assert_eq!(root.images(), *after, "{what}");
        }
        end.killed
    }

    fn is_whole(&self, root: &Copied<'_>, what: &str, runs: bool) {
        wait_until(LIMIT, || {
            root.json("images()");
            root.left_over().is_empty()
        });
        let store = Store::open(&root.root()).unwrap();
        let found = root.check(&store, true);
        assert!(!found.busy && found.is_healthy(), "{what}: {:?}", found.findings);
        let only_orphans = found.findings.iter().all(|finding| finding.kind == Damage::Orphan);
        assert!(only_orphans, "{what}: {:?}", found.findings);
        let again = root.check(&store, false);
        assert!(again.findings.is_empty(), "{what}: {:?}", again.findings);
        assert_eq!(root.left_over(), Vec::<PathBuf>::new(), "{what}");
        // What its files hold has been compared; that a container starts is looked at now and then.
        if runs {
            let code = r#"image("busybox:1").exec(["cat", "/etc/not-executable"], #{ network: "none" }).text"#;
            assert_eq!(root.json(code), "data", "{what}");
        }
    }
}

const KEPT: &[&str] = &["busybox:1", "kept:1"];

/// A root with two images that share a layer, and a container that has ended and changed files.
fn prepared() -> Result<Shanty, Missing> {
    let shanty = with_busybox()?;
    shanty
        .eval(
            r#"from("busybox:1").write("/kept", "kept").tag("kept:1");
               let change = "echo new > /new; rm -r /home; rm /tmp/* -f; mkdir -p /etc/more; echo x > /etc/more/x; chown 5:6 /new";
               let c = image("busybox:1").create(["sh", "-c", change], #{ name: "changed", network: "none" });
               c.start(); c.wait();"#,
        )
        .ok();
    Ok(shanty)
}

/// Whether this machine can mount indexed layers.
fn has_indexed(shanty: &Shanty) -> bool {
    let layers = std::fs::read_dir(shanty.root().join("layers")).unwrap().flatten();
    layers.into_iter().any(|layer| layer.path().join("layer.erofs").exists())
}

fn kill_everywhere(form: &str, shanty: &Shanty, code: &str, at_once: bool) {
    if form == "erofs" && !has_indexed(shanty) {
        return note_skip(&Missing("a kernel that mounts indexed layers".into()));
    }
    let scenario = Scenario { code: code.to_owned(), keeps: KEPT, at_once };
    scenario.kill_everywhere(shanty, form);
}

fn pull(form: &str) {
    let (shanty, registry) = require!(prepared(), Registry::start());
    let layers: Vec<Vec<u8>> =
        (0..3).map(|i| tar_of(&[("same", format!("{i}").as_bytes()), (&format!("f{i}"), &[7; 5000])])).collect();
    registry.push("app:1", &Image::new(&layers));
    kill_everywhere(form, &shanty, &format!(r#"image("{}").pull().id"#, registry.name("app:1")), true);
}

fn load(form: &str) {
    let (shanty, other) = require!(prepared(), with_busybox());
    other
        .eval(
            r#"for i in 1..3 { from("busybox:1").write("/f", `${i}`).tag(`loaded:${i}`) }
               save(["loaded:1", "loaded:2"], "two.tar");"#,
        )
        .ok();
    std::fs::rename(other.work().join("two.tar"), shanty.work().join("two.tar")).unwrap();
    kill_everywhere(form, &shanty, r#"load("two.tar").len()"#, true);
}

fn import(form: &str) {
    let shanty = require!(prepared());
    std::fs::write(shanty.work().join("rootfs.tar"), tar_of(&[("f", b"x")])).unwrap();
    kill_everywhere(form, &shanty, r#"image_from_tar("rootfs.tar", #{ tag: "imported:1" }).id"#, true);
}

fn commit(form: &str) {
    let shanty = require!(prepared());
    kill_everywhere(form, &shanty, r#"container("changed").commit("made:1").id"#, true);
}

fn prune(form: &str) {
    let shanty = require!(prepared());
    shanty
        .eval(
            r#"from("busybox:1").write("/f", "1").tag("old:1");
               from("scratch").write("/f", "2").write("/g", "3").tag("old:2");
               image("kept:1").create(["true"], #{ name: "keeper", network: "none" });"#,
        )
        .env("SHANTY_LAYERS", form)
        .ok();
    kill_everywhere(form, &shanty, "prune_images(#{ all: true }).items.len()", false);
}

macro_rules! in_both_forms {
    ($($name:ident, $folder:ident, $erofs:ident;)*) => { $(
        #[test]
        fn $folder() {
            $name("folder");
        }
        #[test]
        fn $erofs() {
            $name("erofs");
        }
    )* };
}

in_both_forms! {
    pull, a_pull_of_folders_that_is_killed_anywhere_loses_nothing, a_pull_of_indexed_layers_that_is_killed_anywhere_loses_nothing;
    load, a_load_of_folders_that_is_killed_anywhere_loses_nothing, a_load_of_indexed_layers_that_is_killed_anywhere_loses_nothing;
    import, an_import_of_a_folder_that_is_killed_anywhere_loses_nothing, an_import_of_an_indexed_layer_that_is_killed_anywhere_loses_nothing;
    commit, a_commit_to_a_folder_that_is_killed_anywhere_loses_nothing, a_commit_to_an_indexed_layer_that_is_killed_anywhere_loses_nothing;
    prune, a_prune_of_folders_that_is_killed_anywhere_loses_nothing, a_prune_of_indexed_layers_that_is_killed_anywhere_loses_nothing;
}
