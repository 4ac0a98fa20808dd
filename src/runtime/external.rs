//! Other OCI runtimes: a container of ours that the command line of runc, crun or one like them makes.
//!
//! What waits for that program is a child of the monitor, in a mount namespace of its own where the root is mounted. It
//! reports as the container's own first process would, tells the pid of the real one, and ends: from then on the
//! monitor, which is the subreaper, is the parent of that.

use super::bundle::{self, GROUPS_ANNOTATION, SECCOMP_ANNOTATION, USER_ANNOTATION};
use super::control::protocol::{ExecRequest, Failure};
use super::exec::ExecStdio;
use super::init::{Rootfs, mount_root, step};
use super::launch::Launch;
use super::program::{Overrides, Program};
use super::report::Reporter;
use super::rootfs::Root;
use super::terminal::Console;
use super::{capability, cgroup, seccomp};
use crate::error::{Error, ErrorKind, ExitDetails, IoContext, Result};
use crate::sys::clone::exit_now;
use crate::sys::mount::make_root_private;
use crate::sys::{fd_passing, pty};
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::MsgFlags;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, read};
use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Name of its folder in the run directory: the bundle, its own state, its log.
const FOLDER: &str = "runtime";

/// The runtime of one container.
#[derive(Clone, Debug)]
pub struct External {
    program: PathBuf,
    folder: PathBuf,
    id: String,
}

impl External {
    /// The one that a launch asks for; `None`: this program's own.
    pub fn of(launch: &Launch) -> Option<Self> {
        let program = launch.runtime.clone()?;
        Some(Self { program, folder: launch.run_dir.join(FOLDER), id: launch.id.as_str().to_owned() })
    }

    /// Takes away what it keeps of the container. Nobody is left to be told of a failure.
    pub fn delete(&self) {
        let _ = self.command().args(["delete", "--force", &self.id]).stdin(Stdio::null()).status();
    }

    fn create(&self, spec: &Spec, console: Option<&Console>) -> Result<i32> {
        bundle::write(&self.folder, spec)?;
        let pid_file = self.folder.join("init.pid");
        let mut command = self.command();
        command.arg("create").arg("--bundle").arg(&self.folder).arg("--pid-file").arg(&pid_file);
        self.run_with_terminal(command, console, &self.folder)?;
        read_pid(&pid_file)
    }

    fn start(&self) -> Result<()> {
        let mut command = self.command();
        command.args(["start", &self.id]);
        self.run(command)
    }

    fn exec(&self, process: &Process, console: Option<&Console>) -> Result<i32> {
        // Several may run at once.
        let folder = tempfile::tempdir_in(&self.folder).doing(|| "cannot make a folder for an exec")?;
        let (file, pid_file) = (folder.path().join("process.json"), folder.path().join("pid"));
        let text = serde_json::to_vec(process)
            .map_err(|error| Error::invalid(format!("the process cannot be written as JSON: {error}")))?;
        std::fs::write(&file, text).doing(|| format!("cannot write `{}`", file.display()))?;
        let mut command = self.command();
        command.arg("exec").arg("--process").arg(&file).arg("--pid-file").arg(&pid_file).arg("--detach");
        self.run_with_terminal(command, console, folder.path())?;
        read_pid(&pid_file)
    }

    /// Ends the command line with the id, and passes on the master of the terminal that the runtime makes.
    fn run_with_terminal(&self, mut command: Command, console: Option<&Console>, folder: &Path) -> Result<()> {
        let Some(console) = console else {
            command.arg(&self.id);
            return self.run(command);
        };
        let doing = || "cannot take the terminal over";
        let path = folder.join("console");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).doing(doing)?;
        command.arg("--console-socket").arg(&path).arg(&self.id);
        self.run(command)?;
        let (socket, _) = listener.accept().doing(doing)?;
        let (mut text, mut fds) = ([0; 4096], Vec::new());
        fd_passing::receive(socket.as_fd(), &mut text, &mut fds, MsgFlags::empty()).doing(doing)?;
        let master = fds.pop().ok_or_else(|| Error::new(ErrorKind::Io, "the runtime has sent no terminal"))?;
        if let Some(size) = console.size {
            pty::set_size(&master, size).doing(doing)?;
        }
        fd_passing::send(console.socket.as_fd(), b"/dev/ptmx", &[master.as_fd()], MsgFlags::empty()).doing(doing)?;
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.folder.join("state"));
        command.arg("--log").arg(self.log()).args(["--log-format", "json"]);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log.json")
    }

    fn run(&self, mut command: Command) -> Result<()> {
        let status = command.status().doing(|| format!("cannot execute the runtime `{}`", self.program.display()))?;
        if status.success() {
            return Ok(());
        }
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        Err(failure(&name, &log))
    }
}

/// What the runtime wrote last as an error. A program that cannot be executed is told by the words of runc and crun.
fn failure(name: &str, log: &str) -> Error {
    let message = |line: &str| -> Option<String> {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        (entry["level"] == "error").then(|| entry["msg"].as_str().map(str::to_owned)).flatten()
    };
    let Some(message) = log.lines().rev().find_map(message) else {
        return Error::new(ErrorKind::Io, format!("the runtime `{name}` failed and did not say why"))
            .hint(format!("try it by hand: `{name} run`"));
    };
    let message = format!("{name}: {message}");
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let code = match () {
        () if says(&["executable file not found", "no such file or directory"]) && message.contains("exec") => 127,
        () if says(&["exec"]) && says(&["permission denied", "exec format error", "is a directory"]) => 126,
        () => return Error::new(ErrorKind::Io, message),
    };
    Error::exit(message, ExitDetails { code, ..ExitDetails::default() })
}

fn read_pid(file: &Path) -> Result<i32> {
    let text = std::fs::read_to_string(file).doing(|| format!("cannot read `{}`", file.display()))?;
    text.trim().parse().map_err(|_| Error::corrupt(format!("`{}` holds no process id", file.display())))
}

/// What waits for a container to be made.
pub struct ExternalInit<'a> {
    /// The runtime.
    pub external: External,
    /// What to make.
    pub launch: &'a Launch,
    /// The bundle as our own runtime takes it.
    pub spec: &'a Spec,
    /// The container's input, output and error output.
    pub stdio: [Option<OwnedFd>; 3],
    /// Instead of them: a terminal.
    pub console: Option<Console>,
    /// The network namespace of its last run.
    pub network: Option<&'a Arc<File>>,
    /// A byte comes when the program may be executed, an end when not.
    pub go: OwnedFd,
    /// Where the pid and the failure go.
    pub reporter: Reporter,
}

impl ExternalInit<'_> {
    /// Lets the runtime make the container and start it. It is in a mount namespace of its own.
    pub fn run(self) -> ! {
        // As for a first process: its descriptors are the container's.
        let this = ManuallyDrop::new(self);
        match this.make() {
            Ok(()) => exit_now(0),
            Err(failure) => {
                this.reporter.failure(&failure);
                exit_now(failure.code.unwrap_or(1))
            }
        }
    }

    fn make(&self) -> Result<(), Failure> {
        step("preparing the process", || prepare(&self.stdio))?;
        step("making the mounts private", || make_root_private().doing(|| "cannot make the mounts private"))?;
        let root = step("mounting the root", || mount_root(Rootfs::Overlay(&self.launch.rootfs)))?;
        let spec = step("writing the bundle", || {
            std::fs::create_dir_all(&self.external.folder)
                .doing(|| format!("cannot make `{}`", self.external.folder.display()))?;
            self.for_others(&root)
        })?;
        if self.network.is_some() {
            // Of its last run: a runtime knows an id once.
            self.external.delete();
        }
        let pid = step("creating the container", || self.external.create(&spec, self.console.as_ref()))?;
        self.reporter.created(pid);
        let mut byte = [0u8];
        if read(&self.go, &mut byte) != Ok(1) {
            self.external.delete();
            return Err(Failure::of("", &Error::new(ErrorKind::Cancelled, "the caller is gone")));
        }
        step("starting the container", || self.external.start())?;
        self.reporter.executing();
        Ok(())
    }

    /// The bundle with everything written out that our own runtime looks up or knows by a name.
    fn for_others(&self, root: &Root) -> Result<Spec> {
        let (spec, launch) = (self.spec, self.launch);
        let mut written = spec.clone();
        written.set_process(Some(process_of(spec, root, Overrides::default(), self.console.is_some())?));
        let mut linux = spec.linux().clone().unwrap_or_default();
        // A runtime that is told of a group makes it, or fails.
        if cgroup::Hierarchies::discover()?.all().next().is_some() {
            let group = Path::new("/").join(cgroup::container_path(&launch.root_id8, launch.id.as_str()));
            linux.set_cgroups_path(Some(group));
        }
        if bundle::annotation(spec, SECCOMP_ANNOTATION).is_some() && linux.seccomp().is_none() {
            let bounding = spec.process().as_ref().and_then(|process| process.capabilities().as_ref());
            let bounding = bounding.and_then(|caps| caps.bounding().as_ref()).map_or(0, capability::set);
            let profile = seccomp::written_default(bounding)
                .map_err(|error| Error::invalid(format!("cannot write the system call filter: {error}")))?;
            linux.set_seccomp(Some(profile));
        }
        if let Some(network) = self.network {
            let path = format!("/proc/{}/fd/{}", std::process::id(), network.as_raw_fd());
            for namespace in linux.namespaces_mut().iter_mut().flatten() {
                if namespace.typ() == LinuxNamespaceType::Network {
                    namespace.set_path(Some(PathBuf::from(&path)));
                }
            }
        }
        written.set_linux(Some(linux));
        if let Some(annotations) = written.annotations_mut() {
            annotations
                .retain(|name, _| ![USER_ANNOTATION, GROUPS_ANNOTATION, SECCOMP_ANNOTATION].contains(&name.as_str()));
        }
        Ok(written)
    }
}

/// What waits for an exec.
pub struct ExternalExec<'a> {
    /// The runtime.
    pub external: External,
    /// What to run.
    pub request: &'a ExecRequest,
    /// The bundle as our own runtime takes it.
    pub bundle_dir: &'a Path,
    /// Pid of the container's first process.
    pub init: i32,
    /// Input and output.
    pub stdio: ExecStdio,
    /// Where the pid and the failure go.
    pub reporter: Reporter,
}

impl ExternalExec<'_> {
    /// Lets the runtime execute the program.
    pub fn run(self) -> ! {
        let this = ManuallyDrop::new(self);
        match this.execute() {
            Ok(()) => exit_now(0),
            Err(failure) => {
                this.reporter.failure(&failure);
                exit_now(failure.code.unwrap_or(1))
            }
        }
    }

    fn execute(&self) -> Result<(), Failure> {
        let console = match &self.stdio {
            ExecStdio::Terminal(console) => Some(console),
            ExecStdio::Descriptors(_) => None,
        };
        step("preparing the process", || {
            let doing = || "cannot take over input and output";
            prctl::set_pdeathsig(Signal::SIGKILL).doing(doing)?;
            if let ExecStdio::Descriptors([input, output, error]) = &self.stdio {
                dup2_stdin(input).doing(doing)?;
                dup2_stdout(output).doing(doing)?;
                dup2_stderr(error).doing(doing)?;
            }
            Ok(())
        })?;
        let process = step("reading the process", || {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let root = open(format!("/proc/{}/root", self.init).as_str(), flags, Mode::empty())
                .doing(|| "cannot open the container's root")?;
            let spec = bundle::read(self.bundle_dir)?;
            let request = self.request;
            let overrides = Overrides {
                argv: Some(&request.argv),
                env: &request.env,
                cwd: request.workdir.as_deref().map(Path::new),
                user: request.user.as_deref(),
            };
            process_of(&spec, &Root::new(root), overrides, console.is_some())
        })?;
        let pid = step("executing the program", || self.external.exec(&process, console))?;
        self.reporter.created(pid);
        self.reporter.executing();
        Ok(())
    }
}

fn prepare(stdio: &[Option<OwnedFd>; 3]) -> Result<()> {
    let doing = || "cannot take over input and output";
    prctl::set_pdeathsig(Signal::SIGKILL).doing(doing)?;
    match &stdio[0] {
        Some(input) => dup2_stdin(input),
        None => dup2_stdin(File::open("/dev/null").doing(doing)?),
    }
    .doing(doing)?;
    if let Some(output) = &stdio[1] {
        dup2_stdout(output).doing(doing)?;
    }
    if let Some(error) = &stdio[2] {
        dup2_stderr(error).doing(doing)?;
    }
    Ok(())
}

fn process_of(spec: &Spec, root: &Root, overrides: Overrides<'_>, terminal: bool) -> Result<Process> {
    let process = spec.process().as_ref().ok_or_else(|| Error::invalid("the bundle has no process"))?;
    let mut written = Program::new(spec, root, overrides, 0)?.written(process)?;
    written.set_terminal(Some(terminal));
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runtime_says_becomes_an_error_with_the_code_of_a_shell() {
        let line = |message: &str| format!("{{\"level\":\"error\",\"msg\":\"{message}\"}}\n");
        let code = |log: &str| failure("runc", log).exit_details().map(|details| details.code);
        let missing = "unable to start container process: exec: \\\"nope\\\": executable file not found in $PATH";
        assert_eq!(code(&line(missing)), Some(127));
        assert_eq!(code(&line("container_linux.go: exec: \\\"/etc\\\": permission denied")), Some(126));
        let other = failure("runc", &format!("{}{}", line("first"), line("the cgroup is busy")));
        assert!(other.is(ErrorKind::Io) && other.message() == "runc: the cgroup is busy", "{other:?}");
        assert!(failure("runc", "").hint_text().is_some());
    }
}
