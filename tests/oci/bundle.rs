//! A bundle of one test: Debian's static busybox as its root, and a `--root` of its own.

use crate::support::fixtures::{Missing, program};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// As long as anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What a call left behind.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A bundle. Dropping it deletes its containers, and fails the test when that leaves a control group behind.
pub struct Bundle {
    folder: TempDir,
}

impl Bundle {
    /// With the `config.json` that `shanty oci spec` writes, without a terminal and with a writable root, for a program.
    pub fn new(args: &[&str]) -> Result<Self, Missing> {
        let busybox = program("busybox")?;
        let bundle = Self { folder: TempDir::with_prefix("shanty-oci-").unwrap() };
        let bin = bundle.rootfs().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(&busybox, bin.join("busybox")).unwrap();
        let applets = Command::new(busybox).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        fs::create_dir(bundle.rootfs().join("tmp")).unwrap();
        assert_eq!(bundle.oci(&["spec", "--bundle", bundle.path().to_str().unwrap()]).code, 0);
        bundle.change(|spec| {
            spec["process"]["terminal"] = json!(false);
            spec["process"]["args"] = json!(args);
            spec["root"]["readonly"] = json!(false);
            // Below our own parent, under a name that no other test has.
            spec["linux"]["cgroupsPath"] = json!(bundle.folder.path().file_name().unwrap().to_str().unwrap());
        });
        Ok(bundle)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn rootfs(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// A file of the test's own beside the root.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Changes `config.json`.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let path = self.file("config.json");
        let mut spec = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut spec);
        fs::write(path, spec.to_string()).unwrap();
    }

    /// A directory of the container's control group.
    pub fn cgroup(&self, controller: &str) -> PathBuf {
        let name = self.path().file_name().unwrap();
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let mount = if v1.is_dir() { v1 } else { "/sys/fs/cgroup".into() };
        mount.join("shanty-oci").join(name)
    }

    /// `shanty oci --root … ARGS`, in the bundle.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shanty"));
        command.arg("oci").arg("--root").arg(self.file("state")).args(args).current_dir(self.path());
        command.env_remove("LISTEN_FDS");
        command
    }

    /// Calls it. Its output goes to files: a container that goes on holds them open.
    #[track_caller]
    pub fn oci(&self, args: &[&str]) -> Output {
        self.oci_with(args, "")
    }

    /// The same with input.
    #[track_caller]
    pub fn oci_with(&self, args: &[&str], input: &str) -> Output {
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("in"), input).unwrap();
        let status = self
            .command(args)
            .stdin(File::open(file("in")).unwrap())
            .stdout(File::create(file("out")).unwrap())
            .stderr(File::create(file("err")).unwrap())
            .status()
            .unwrap();
        let read = |name: &str| fs::read_to_string(file(name)).unwrap();
        Output { code: status.code().unwrap(), stdout: read("out"), stderr: read("err") }
    }

    /// Calls it; it must succeed: its output.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.oci(args);
        assert_eq!(output.code, 0, "{args:?}: {output:?}");
        output.stdout
    }

    /// Calls it; it must fail, with these words.
    #[track_caller]
    pub fn fails(&self, args: &[&str], words: &str) {
        let output = self.oci(args);
        assert!(output.code != 0 && output.stderr.contains(words), "{args:?}: {output:?}");
    }

    /// `create`, with the output of the container in the file `out`.
    #[track_caller]
    pub fn create(&self, id: &str, more: &[&str]) {
        let status = self
            .command(&[&["create"], more, &[id]].concat())
            .stdin(Stdio::null())
            .stdout(File::create(self.file("out")).unwrap())
            .stderr(File::options().create(true).append(true).open(self.file("err")).unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "{}", fs::read_to_string(self.file("err")).unwrap());
    }

    /// What the container has written so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.file("out")).unwrap()
    }

    /// The state of a container.
    #[track_caller]
    pub fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.ok(&["state", id])).unwrap()
    }

    /// Waits until a container has this status.
    #[track_caller]
    pub fn wait_for_status(&self, id: &str, status: &str) {
        wait_for(LIMIT, || (self.state(id)["status"] == status).then_some(()));
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let ids = self.oci(&["list", "--quiet"]).stdout;
        for id in ids.lines() {
            self.oci(&["delete", "--force", id]);
        }
        if !std::thread::panicking() {
            for controller in ["pids", "memory", "unified"] {
                assert!(!self.cgroup(controller).exists(), "the {controller} control group is left");
            }
            let left: Vec<_> = fs::read_dir(self.file("state")).into_iter().flatten().collect();
            assert!(left.is_empty(), "left below --root: {left:?}");
        }
    }
}
