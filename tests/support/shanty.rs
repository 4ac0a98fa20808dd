//! A `shanty` of one test: its own root, its own environment, and nothing left behind.

use super::call::{Call, Output};
use super::caller::{self, Caller, caller};
use super::leaks::{leaks, sweep};
use super::wait::patience;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test with a root of its own.
///
/// Dropping it removes the containers through the program itself, and fails the test when that leaves a mount, a
/// control group, a link or a process behind.
pub struct Shanty {
    folder: TempDir,
}

impl Shanty {
    /// With an empty root.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("shanty-test-").unwrap();
        for name in ["root", "home", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        if let Some(caller) = caller() {
            let folders = ["", "root", "home", "work"].map(|name| folder.path().join(name));
            caller.takes(folders.iter().map(PathBuf::as_path));
        }
        Self { folder }
    }

    /// The root (`SHANTY_ROOT`).
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The home folder of the user who calls it.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder that it is called in; for the test's own files.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file, such as a script, into [`Self::work`] and gives its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Gives a file that another program has made, with all that is in it, to who calls this one.
    pub fn owns(&self, path: &Path) {
        if let Some(caller) = caller() {
            caller.owns(path);
        }
    }

    /// The first eight digits of the root's id, once there is a database.
    pub fn id8(&self) -> Option<String> {
        let database = self.root().join("shanty.db");
        if !database.exists() {
            return None;
        }
        let id: String = rusqlite::Connection::open(database)
            .and_then(|db| db.query_row("SELECT value FROM meta WHERE key = 'root_id'", [], |row| row.get(0)))
            .unwrap();
        Some(id[..8].to_string())
    }

    /// Calls the program with these arguments.
    pub fn call(&self, args: &[&str]) -> Call {
        Call::new(self.command()).args(args)
    }

    /// `shanty eval CODE`.
    pub fn eval(&self, code: &str) -> Call {
        self.call(&["eval", code])
    }

    /// `shanty run FILE`; more arguments with [`Call::args`].
    pub fn run_file(&self, file: impl AsRef<Path>) -> Call {
        self.call(&["run"]).args([file.as_ref()])
    }

    /// `shanty eval --json CODE`, which must succeed: the value of the code.
    #[track_caller]
    pub fn json(&self, code: &str) -> Value {
        let output = self.call(&["eval", "--json", code]).ok();
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}; {output}"))
    }

    /// What the root's containers have left on the machine; see [`leaks`].
    pub fn leaks(&self) -> Vec<String> {
        self.id8().map(|id8| leaks(&self.root(), &id8)).unwrap_or_default()
    }

    /// Waits until the containers have left nothing on the machine: clean-up goes on after a caller has its answer.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = self.wait_for_no_leaks();
        assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    }

    /// The program, in an environment that holds nothing of this machine but `PATH`.
    fn command(&self) -> Command {
        let mut command = caller::command();
        command.current_dir(self.work()).env_clear();
        for kept in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.envs(caller().and_then(Caller::environment));
        command.env("SHANTY_ROOT", self.root()).env("HOME", self.home()).env("LANG", "C.UTF-8").env("TZ", "UTC");
        command
    }

    fn wait_for_no_leaks(&self) -> Vec<String> {
        let started = Instant::now();
        loop {
            let left = self.leaks();
            if left.is_empty() || started.elapsed() > Duration::from_secs(10) * patience() {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn remove_containers(&self) -> Output {
        self.eval("for c in containers(#{ all: true }) { c.remove(#{ force: true, missing_ok: true }) }").output()
    }
}

impl Drop for Shanty {
    fn drop(&mut self) {
        let id8 = self.id8();
        let removal = (id8.is_some() && !std::thread::panicking()).then(|| self.remove_containers());
        // What ranges of ids own only root removes.
        if let Some(caller) = caller() {
            caller.is_done();
        }
        let Some(id8) = id8 else { return };
        let Some(removal) = removal else {
            sweep(&self.root(), &id8);
            return;
        };
        let left = self.wait_for_no_leaks();
        sweep(&self.root(), &id8);
        assert_eq!(removal.code, 0, "removing the test's containers; {removal}");
        assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    }
}
