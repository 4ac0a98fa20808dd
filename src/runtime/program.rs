//! Becoming the program of a container: what a process that is inside already does up to execve(2).

use super::bundle::{self, GROUPS_ANNOTATION, USER_ANNOTATION};
use super::capability;
use super::rootfs::{Root, is_kind};
use super::seccomp::{self, Filter};
use super::user::{self, Identity};
use crate::error::{Error, ErrorKind, ExitDetails, IoContext, Result};
use crate::privilege::{Ids, Privilege};
use crate::sys::capability::{self as sys_capability, CapSet};
use crate::sys::close_range::close_all_but;
use crate::sys::{keyring, signals};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, makedev, umask};
use nix::unistd::{
    AccessFlags, Gid, Uid, access, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchown, getcwd, isatty,
    setgroups, setresgid, setresuid,
};
use oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process, Spec, UserBuilder};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};

/// A program, and as whom and where it runs.
#[derive(Debug)]
pub struct Program {
    argv: Vec<String>,
    env: Vec<String>,
    cwd: PathBuf,
    identity: Identity,
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
    ambient: CapSet,
    bounding: CapSet,
    no_new_privs: bool,
    filter: Option<Filter>,
    rlimits: Vec<PosixRlimit>,
    umask: u32,
    /// Whether it gets a session keyring of its own.
    pub new_keyring: bool,
    /// Where to send what listens to its changes of owners; `None`: the kernel makes them.
    pub owners: Option<RawFd>,
}

/// What differs from the specification's process: for `exec`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// Instead of the specification's.
    pub argv: Option<&'a [String]>,
    /// On top of the specification's.
    pub env: &'a [(String, String)],
    /// Instead of the specification's.
    pub cwd: Option<&'a Path>,
    /// Instead of the specification's.
    pub user: Option<&'a str>,
}

impl Program {
    /// From the specification: looks the user up in the root, and compiles the filter.
    ///
    /// `take_away` is a set of capabilities that the program must not have.
    pub fn new(spec: &Spec, root: &Root, overrides: Overrides<'_>, take_away: CapSet) -> Result<Self> {
        let process = spec.process().as_ref().ok_or_else(|| Error::invalid("the bundle has no process"))?;
        let identity = identity(spec, process, root, overrides.user)?;
        let available = available_capabilities() & !take_away;
        let caps = process.capabilities().as_ref();
        let of = |set: fn(&oci_spec::runtime::LinuxCapabilities) -> &Option<oci_spec::runtime::Capabilities>| {
            caps.and_then(|caps| set(caps).as_ref()).map_or(0, capability::set) & available
        };
        let bounding = of(oci_spec::runtime::LinuxCapabilities::bounding);
        let filter = seccomp::of(spec, bounding)?;
        let mut env = process.env().clone().unwrap_or_default();
        for (name, value) in overrides.env {
            set_variable(&mut env, name, value);
        }
        let has_home = env.iter().any(|variable| variable.starts_with("HOME="));
        // Of another user than the container's, the container's HOME is not theirs.
        if !has_home || overrides.user.is_some() && !overrides.env.iter().any(|(name, _)| name == "HOME") {
            set_variable(&mut env, "HOME", identity.home.as_deref().filter(|home| !home.is_empty()).unwrap_or("/"));
        }
        Ok(Self {
            argv: overrides.argv.map_or_else(|| process.args().clone().unwrap_or_default(), <[String]>::to_vec),
            env,
            cwd: overrides.cwd.unwrap_or(process.cwd()).to_owned(),
            identity,
            effective: of(oci_spec::runtime::LinuxCapabilities::effective),
            permitted: of(oci_spec::runtime::LinuxCapabilities::permitted),
            inheritable: of(oci_spec::runtime::LinuxCapabilities::inheritable),
            ambient: of(oci_spec::runtime::LinuxCapabilities::ambient),
            bounding,
            no_new_privs: process.no_new_privileges().unwrap_or(false),
            filter,
            rlimits: process.rlimits().clone().unwrap_or_default(),
            umask: process.user().umask().unwrap_or(0o022),
            new_keyring: true,
            owners: None,
        })
    }

    /// The specification's process with what was looked up and overridden written into it: for other runtimes.
    pub fn written(&self, process: &Process) -> Result<Process> {
        let user = UserBuilder::default()
            .uid(self.identity.uid)
            .gid(self.identity.gid)
            .additional_gids(self.identity.groups.clone())
            .umask(self.umask)
            .build()
            .map_err(|error| Error::invalid(format!("cannot write the user: {error}")))?;
        let mut written = process.clone();
        written.set_user(user);
        written.set_args(Some(self.argv.clone()));
        written.set_env(Some(self.env.clone()));
        written.set_cwd(self.cwd.clone());
        Ok(written)
    }

    /// Where it will start.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Everything up to what takes rights away: the limits, the descriptors, the working directory. The
    /// process is inside the container; of its descriptors only 0, 1, 2 and `keep` stay open.
    pub fn settle(&self, keep: &[RawFd]) -> Result<()> {
        for limit in &self.rlimits {
            set_limit(limit)?;
        }
        own_null_device()?;
        self.own_stdio();
        // Really closed, not at the exec only: a working directory below `/proc/self/fd` would lead
        // out through one of them (CVE-2024-21626).
        close_all_but(keep).doing(|| "cannot close descriptors")?;
        chdir(&self.cwd).doing(|| format!("cannot change to the working directory `{}`", self.cwd.display()))?;
        // getcwd(2) gives `(unreachable)/…` for a directory that is outside of the root.
        match getcwd() {
            Ok(dir) if dir.starts_with("/") => {}
            _ => {
                return Err(Error::new(
                    ErrorKind::Denied,
                    format!("the working directory `{}` is outside of the container", self.cwd.display()),
                ));
            }
        }
        // Keys of the host's session must not be readable inside; a kernel without keyrings has none.
        if self.new_keyring {
            let _ = keyring::join_new_session();
        }
        umask(Mode::from_bits_truncate(self.umask));
        Ok(())
    }

    /// Whether a process that has taken its rights away can still make the one of the program.
    pub fn lets_start(&self) -> bool {
        self.filter.as_ref().is_none_or(Filter::lets_start)
    }

    /// Takes the rights away and becomes the program. `die_with` is the signal that it gets when its
    /// parent dies. Returns why it could not.
    pub fn execute(self, die_with: Option<Signal>) -> Error {
        match self.drop_rights(die_with) {
            Ok(()) => self.exec(),
            Err(error) => error,
        }
    }

    /// Takes the rights away: what follows is the program's own doing.
    pub fn drop_rights(&self, die_with: Option<Signal>) -> Result<()> {
        for number in 0..=sys_capability::LAST {
            if self.bounding >> number & 1 == 0 && sys_capability::in_bounding(number) == Some(true) {
                sys_capability::drop_bounding(number).doing(|| "cannot limit the capabilities")?;
            }
        }
        let doing = || "cannot become the user of the container";
        prctl::set_keepcaps(true).doing(doing)?;
        let groups: Vec<Gid> = self.identity.groups.iter().copied().map(Gid::from_raw).collect();
        if Privilege::current().has_many_ids() {
            setgroups(&groups).doing(doing)?;
        }
        let (uid, gid) = (Uid::from_raw(self.identity.uid), Gid::from_raw(self.identity.gid));
        setresgid(gid, gid, gid).map_err(|errno| no_such_id("group", gid.as_raw(), errno))?;
        setresuid(uid, uid, uid).map_err(|errno| no_such_id("user", uid.as_raw(), errno))?;
        prctl::set_keepcaps(false).doing(doing)?;
        // After the change of user, which clears it (prctl(2)).
        prctl::set_pdeathsig(die_with).doing(|| "cannot set the parent death signal")?;
        signals::reset();

        let doing = || "cannot set the capabilities";
        if self.no_new_privs {
            prctl::set_no_new_privs().doing(|| "cannot set no_new_privs")?;
        } else if self.filter.is_some() || self.owners.is_some() {
            // Without no_new_privs loading needs CAP_SYS_ADMIN, so the last change of capabilities
            // comes after it: a filter must allow capset and execve.
            let admin = capability::bit("SYS_ADMIN").unwrap_or(0);
            sys_capability::set(self.effective | admin, self.permitted | admin, self.inheritable).doing(doing)?;
        }
        // Before the other one, which may not let anything be sent. What that refuses is refused all the same.
        if let Some(owners) = self.owners {
            seccomp::listen_to_owners(owners)?;
        }
        if let Some(filter) = &self.filter {
            filter.load()?;
        }
        sys_capability::set(self.effective, self.permitted, self.inheritable).doing(doing)?;
        if self.ambient != 0 {
            for number in (0..=sys_capability::LAST).filter(|number| self.ambient >> number & 1 == 1) {
                sys_capability::raise_ambient(number).doing(doing)?;
            }
        }
        Ok(())
    }

    /// execve(2) with the search of `PATH` inside the container. Messages and codes are Docker's.
    pub fn exec(&self) -> Error {
        let Some(name) = self.argv.first().filter(|name| !name.is_empty()) else {
            return failed_exec(127, "no command was given, and the image has none");
        };
        let strings =
            |list: &[String]| list.iter().map(|text| CString::new(text.as_str())).collect::<Result<Vec<_>, _>>();
        let (Ok(argv), Ok(env)) = (strings(&self.argv), strings(&self.env)) else {
            return failed_exec(126, &format!("exec: {name:?}: the command line or environment holds a NUL byte"));
        };
        if name.contains('/') {
            let errno = try_exec(Path::new(name), &argv, &env);
            return exec_error(name, errno, name);
        }
        let path = self.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or("");
        let mut found = None;
        for dir in path.split(':') {
            let candidate = Path::new(if dir.is_empty() { "." } else { dir }).join(name);
            match try_exec(&candidate, &argv, &env) {
                Errno::ENOENT | Errno::ENOTDIR if !candidate.is_file() => {}
                // As a shell: one that may not be executed is taken only when no other is found.
                errno => found = found.or(Some((errno, candidate))),
            }
        }
        match found {
            Some((errno, candidate)) => exec_error(name, errno, &candidate.display().to_string()),
            None => failed_exec(127, &format!("exec: {name:?}: executable file not found in $PATH")),
        }
    }

    /// Looks whether there is a program to execute, before anybody asks for it.
    pub fn look_up(&self) -> Result<()> {
        let Some(name) = self.argv.first().filter(|name| !name.is_empty()) else {
            return Err(failed_exec(127, "no command was given, and the image has none"));
        };
        let look = |path: &Path| match access(path, AccessFlags::X_OK) {
            Ok(()) if path.is_dir() => Err(Errno::EACCES),
            result => result,
        };
        if name.contains('/') {
            return look(Path::new(name)).map_err(|errno| exec_error(name, errno, name));
        }
        let path = self.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or("");
        if path.split(':').any(|dir| look(&Path::new(dir).join(name)).is_ok()) {
            return Ok(());
        }
        Err(failed_exec(127, &format!("exec: {name:?}: executable file not found in $PATH")))
    }

    /// Pipes and terminals of the program belong to its user, so that it can open `/dev/stdout`.
    fn own_stdio(&self) {
        if self.identity.uid == 0 {
            return;
        }
        let user = Some(Uid::from_raw(self.identity.uid));
        // Regular files and devices of the host stay theirs; where the kernel says no, the program finds
        // out by itself when it opens one.
        let pipe_or_terminal =
            |fd: &BorrowedFd<'_>| fstat(fd).is_ok_and(|stat| is_kind(&stat, SFlag::S_IFIFO)) || isatty(fd) == Ok(true);
        let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        for fd in [input.as_fd(), output.as_fd(), error.as_fd()].iter().filter(|fd| pipe_or_terminal(fd)) {
            let _ = fchown(fd, user, None);
        }
    }
}

/// The kernel takes no number that the user namespace does not have.
fn no_such_id(what: &str, id: u32, errno: Errno) -> Error {
    let failed: nix::Result<()> = Err(errno);
    let error = failed.doing(|| format!("cannot become the {what} {id} of the container"));
    let error = error.err().unwrap_or_else(|| Error::invalid("?"));
    match Privilege::current().ids() {
        _ if errno != Errno::EINVAL => error,
        Ids::All => error.hint("the container's user namespace has no such number"),
        Ids::Ranges => {
            error.hint("give yourself more numbers in `/etc/subuid` and `/etc/subgid`, or choose a lower one")
        }
        Ids::Single => Error::unsupported(format!("there is no {what} {id}: without ranges of ids all is root's"))
            .hint("`shanty doctor` says how to get ranges of ids; or choose the one that there is: `user: \"0:0\"`, with `keep-id` your own"),
    }
}

fn identity(spec: &Spec, process: &Process, root: &Root, instead: Option<&str>) -> Result<Identity> {
    let groups: Vec<String> = bundle::annotation(spec, GROUPS_ANNOTATION)
        .into_iter()
        .flat_map(|groups| groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned))
        .collect();
    if let Some(user) = instead.or_else(|| bundle::annotation(spec, USER_ANNOTATION)) {
        return user::resolve(root, user, &groups);
    }
    // A bundle of others: the numbers count, and the home directory is still the image's.
    let user = process.user();
    let home = user::resolve(root, &user.uid().to_string(), &[])?.home;
    let groups = user.additional_gids().clone().unwrap_or_default();
    Ok(Identity { uid: user.uid(), gid: user.gid(), groups, home })
}

/// What this process can hand on: on some machines root lacks capabilities.
pub fn available_capabilities() -> CapSet {
    (0..=sys_capability::LAST)
        .filter(|number| sys_capability::in_bounding(*number) == Some(true))
        .fold(0, |set, number| set | 1 << number)
}

fn set_variable(env: &mut Vec<String>, name: &str, value: &str) {
    let prefix = format!("{name}=");
    env.retain(|variable| !variable.starts_with(&prefix));
    env.push(prefix + value);
}

/// Raises a hard limit that is below what is asked for; the soft one stays.
pub fn raise_limit(limit: &PosixRlimit) -> Result<()> {
    let resource = resource(limit.typ());
    let (soft, hard) = getrlimit(resource).doing(|| "cannot read a limit")?;
    if hard >= limit.hard() {
        return Ok(());
    }
    set_to(limit, soft)
}

fn set_limit(limit: &PosixRlimit) -> Result<()> {
    set_to(limit, limit.soft())
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
    }
}

fn set_to(limit: &PosixRlimit, soft: u64) -> Result<()> {
    let name = limit.typ().to_string().to_lowercase();
    let name = name.strip_prefix("rlimit_").unwrap_or(&name);
    match setrlimit(resource(limit.typ()), soft, limit.hard()) {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => Err(Error::new(
            ErrorKind::Denied,
            format!("cannot set the limit `{name}` to {}: it is above the limit of this machine's root", limit.hard()),
        )
        .hint(format!("choose a lower hard limit for `{name}`, or raise the host's"))),
        Err(errno) => Err(errno).doing(|| format!("cannot set the limit `{name}`")),
    }
}

fn try_exec(path: &Path, argv: &[CString], env: &[CString]) -> Errno {
    match crate::sys::mount::c_path(path) {
        Ok(path) => match execve(&path, argv, env) {
            Err(errno) => errno,
            Ok(never) => match never {},
        },
        Err(errno) => errno,
    }
}

fn exec_error(name: &str, errno: Errno, path: &str) -> Error {
    let text = match errno {
        // The file is there, but the interpreter or loader that it names is not.
        Errno::ENOENT if File::open(path).is_ok() => "no such file or directory: the program's interpreter is missing",
        Errno::ENOENT => "no such file or directory",
        Errno::ENOTDIR => "not a directory",
        Errno::EACCES if Path::new(path).is_dir() => "is a directory",
        Errno::EACCES => "permission denied",
        Errno::ENOEXEC => "exec format error",
        other => other.desc(),
    };
    let code = if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) { 127 } else { 126 };
    failed_exec(code, &format!("exec: {name:?}: {text}"))
}

fn failed_exec(code: i32, message: &str) -> Error {
    let details = ExitDetails { code, ..ExitDetails::default() };
    let hint = if code == 127 {
        "check the command, and that the image holds the program"
    } else {
        "check that the file may be executed (`chmod +x`) and is a program of this machine's architecture"
    };
    Error::exit(message, details).hint(hint)
}
/// Opens `/dev/null` of the container in place of the host's: whoever has a descriptor of the host's could change
/// its mode for all of the machine.
fn own_null_device() -> Result<()> {
    let doing = || "cannot open `/dev/null`";
    let is_null = |stat: &FileStat| is_kind(stat, SFlag::S_IFCHR) && stat.st_rdev == makedev(1, 3);
    // By the descriptors: a process that has not come to the container's pid namespace is not in its `/proc`.
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    for (fd, own) in [input.as_fd(), output.as_fd(), error.as_fd()].into_iter().enumerate() {
        if !fstat(own).is_ok_and(|found| is_null(&found)) {
            continue;
        }
        let null =
            open("/dev/null", OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
        if !is_null(&fstat(&null).doing(doing)?) {
            return Err(Error::invalid("`/dev/null` of the container is not the null device"));
        }
        match fd {
            0 => dup2_stdin(null),
            1 => dup2_stdout(null),
            _ => dup2_stderr(null),
        }
        .doing(doing)?;
    }
    Ok(())
}
