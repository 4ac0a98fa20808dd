//! A root with one layer of busybox, and containers launched straight through the control client.

use shanty::context::Context;
use shanty::error::Result;
use shanty::model::{Id, LogSpec, RestartPolicy};
use shanty::runtime::bundle;
use shanty::runtime::control::{self, Connection, Exit, Prepared, Started};
use shanty::runtime::launch::{Launch, PROTOCOL_VERSION, RootfsPlan, StdioPlan};
use shanty::runtime::network::NetworkPlan;
use shanty::runtime::spec::{self, Namespace, Options};
use shanty::runtime::state::{self, State};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Far longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(30);

pub fn cx() -> Context {
    Context::background().with_timeout(Some(LIMIT))
}

pub struct Sandbox {
    dir: TempDir,
    pub id8: String,
}

/// What a program left.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        control::set_program(env!("CARGO_BIN_EXE_shanty").into());
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Self { dir, id8: Id::random().unwrap().as_str()[..8].to_owned() };
        let layer = sandbox.layer();
        for folder in ["bin", "etc", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(layer.join(folder)).unwrap();
        }
        fs::copy("/bin/busybox", layer.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "cat", "ls", "true", "false", "id", "sleep", "mount", "mknod", "head", "hostname", "pwd", "ps",
            "kill", "readlink", "touch", "echo", "env", "stat", "mkdir", "dd", "grep", "ip", "chmod", "test", "wc",
            "sort",
        ] {
            std::os::unix::fs::symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        fs::write(layer.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n")
            .unwrap();
        fs::write(layer.join("etc/group"), "root:x:0:\nnode:x:1001:\nvideo:x:44:node\n").unwrap();
        sandbox
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The directory that is the image.
    pub fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    /// Makes the directories and the bundle of a container.
    pub fn container(&self, options: Options, stdio: StdioPlan) -> Launch {
        let id = Id::random().unwrap();
        let container_dir = self.dir.path().join("containers").join(id.as_str());
        for folder in ["upper", "work", "merged"] {
            fs::create_dir_all(container_dir.join(folder)).unwrap();
        }
        let rootfs = RootfsPlan {
            layers: vec![self.layer()],
            upper: container_dir.join("upper"),
            work: container_dir.join("work"),
            merged: container_dir.join("merged"),
            read_only: options.read_only,
            volatile: false,
        };
        let options = Options { root: rootfs.merged.clone(), ..options };
        bundle::write(&container_dir, &spec::build(&options).unwrap()).unwrap();
        let network = if options.network == Namespace::Host { NetworkPlan::Host } else { NetworkPlan::None };
        Launch {
            version: PROTOCOL_VERSION,
            run_dir: Path::new("/run/shanty").join(&self.id8).join(id.as_str()),
            id,
            name: "sandbox".into(),
            image: "layer".into(),
            labels: [].into(),
            root_id8: self.id8.clone(),
            root: self.dir.path().to_owned(),
            container_dir,
            bundle_dir: None,
            rootfs,
            network,
            secret_env: vec![],
            tells_made: false,
            stdio,
            log: LogSpec::default(),
            input: None,
            health: None,
            memory_is_limited: false,
            runtime: None,
            restart: RestartPolicy::No,
            is_restart: false,
            volumes: vec![],
            die_with_caller: false,
            remove: false,
            stop_signal: libc::SIGTERM,
            stop_timeout: Duration::from_secs(10),
        }
    }

    /// A container that writes to its log.
    pub fn logging(&self, options: Options) -> Launch {
        self.container(options, StdioPlan::Log { stdin: false, tty: false })
    }

    pub fn start(&self, options: Options) -> (Launch, Started) {
        let launch = self.logging(options);
        let started = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap();
        (launch, started)
    }

    pub fn prepare(&self, options: Options) -> (Launch, Result<Prepared>) {
        let launch = self.logging(options);
        let prepared = control::summon(&launch.root, &launch.root_id8, &launch.id, launch.run_dir.parent().unwrap())
            .unwrap()
            .prepare(&cx(), &launch, Vec::new(), Vec::new());
        (launch, prepared)
    }

    /// Runs a program to its end with pipes.
    pub fn run(&self, options: Options) -> Outcome {
        self.try_run(options).unwrap()
    }

    pub fn try_run(&self, options: Options) -> Result<Outcome> {
        let launch = self.container(options, StdioPlan::Passed);
        let (stdio, output) = pipes();
        let mut started = control::launch(&cx(), &launch, stdio.into(), Vec::new())?;
        let Exit { code, .. } = started.wait(&cx())?;
        self.wait_until_gone(&launch);
        Ok(output.outcome(code))
    }

    /// Runs a shell line to its end.
    pub fn sh(&self, line: &str) -> Outcome {
        self.run(shell(line))
    }

    /// Runs a program in a running container.
    pub fn exec(&self, launch: &Launch, request: control::protocol::ExecRequest) -> Result<Outcome> {
        let (stdio, output) = pipes();
        let connection = Connection::open(&launch.run_dir, &launch.container_dir)?.expect("it runs");
        let Exit { code, .. } = connection.exec(&cx(), request, stdio.into())?.wait(&cx())?;
        Ok(output.outcome(code))
    }

    pub fn connect(&self, launch: &Launch) -> Connection {
        Connection::open(&launch.run_dir, &launch.container_dir).unwrap().expect("it runs")
    }

    pub fn state(&self, launch: &Launch) -> State {
        state::read(&launch.container_dir).unwrap().expect("it was started")
    }

    /// Waits until the monitor has cleaned up and ended.
    pub fn wait_until_gone(&self, launch: &Launch) {
        control::wait_until_gone(&cx(), &launch.container_dir).unwrap();
    }

    /// Control groups of a container that are there.
    pub fn groups(&self, launch: &Launch) -> Vec<PathBuf> {
        let hierarchies = shanty::runtime::cgroup::Hierarchies::discover().unwrap();
        let path = shanty::runtime::cgroup::container_path(&self.id8, launch.id.as_str());
        hierarchies.all().map(|hierarchy| hierarchy.dir(&path)).filter(|dir| dir.exists()).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A monitor answers before it cleans up.
        let until = std::time::Instant::now() + LIMIT;
        let mut left = crate::support::leaks(self.root(), &self.id8);
        while !left.is_empty() && !std::thread::panicking() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            left = crate::support::leaks(self.root(), &self.id8);
        }
        crate::support::sweep(self.root(), &self.id8);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left behind: {left:#?}");
        }
    }
}

pub fn shell(line: &str) -> Options {
    program(&["/bin/sh", "-c", line])
}

pub fn program(args: &[&str]) -> Options {
    Options { args: args.iter().map(ToString::to_string).collect(), hostname: "box".to_owned(), ..Options::default() }
}

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + LIMIT;
    while !condition() {
        assert!(std::time::Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The reading ends of a program's output.
pub struct Reading {
    stdout: File,
    stderr: File,
}

impl Reading {
    fn outcome(mut self, code: i32) -> Outcome {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        Outcome { code, stdout, stderr }
    }
}

pub fn pipes() -> ([OwnedFd; 3], Reading) {
    let pipe = || nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let ((stdout, stdout_write), (stderr, stderr_write)) = (pipe(), pipe());
    let null: OwnedFd = File::open("/dev/null").unwrap().into();
    ([null, stdout_write, stderr_write], Reading { stdout: stdout.into(), stderr: stderr.into() })
}
