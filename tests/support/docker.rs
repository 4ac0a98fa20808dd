//! A Docker engine of one test: started by it, with a root of its own, and stopped at its end.

use super::fixtures::{Missing, program};
use super::wait::wait_for;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The engine.
pub struct Docker {
    folder: TempDir,
    client: PathBuf,
    daemon: Child,
}

impl Docker {
    /// Starts it; `Missing` on a machine without `dockerd`.
    pub fn start() -> Result<Self, Missing> {
        Self::start_in(&std::env::temp_dir())
    }

    /// Starts it with its root below a folder.
    pub fn start_in(parent: &Path) -> Result<Self, Missing> {
        let (daemon, client) = (program("dockerd")?, program("docker")?);
        let folder = TempDir::with_prefix_in("shanty-docker-", parent).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let daemon = Command::new(daemon)
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["--host", &format!("unix://{}", path("sock")), "--iptables=false", "--bridge=none"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let docker = Self { folder, client, daemon };
        wait_for(Duration::from_secs(60), || {
            docker.command(&["version"]).output().unwrap().status.success().then_some(())
        });
        Ok(docker)
    }

    /// A call of its client.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["--host", &format!("unix://{}", self.folder.path().join("sock").display())]).args(args);
        command
    }

    /// Runs its client, which must succeed; gives what it printed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes an image of a tar.
    #[track_caller]
    pub fn import(&self, tar: &Path, name: &str, path: &str) {
        self.ok(&["import", "--change", &format!("ENV PATH={path}"), &tar.display().to_string(), name]);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.daemon.id().cast_signed());
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        drop(self.daemon.wait());
    }
}
