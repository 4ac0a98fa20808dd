//! The command line, option by option that of runc: what calls one calls the other.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// An OCI runtime: makes containers of bundles
#[derive(Debug, Parser)]
#[command(name = "shanty oci", version = VERSION, disable_help_subcommand = true)]
pub struct Arguments {
    /// Those before the command.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Engines read the lines of runc.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\nspec: 1.2.0");

/// Options before the command.
#[derive(Args, Debug)]
pub struct Options {
    /// Directory of what is known of the containers
    #[arg(long, value_name = "DIR", default_value = "/run/shanty-oci")]
    pub root: PathBuf,
    /// File that errors and warnings are appended to, instead of standard error
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Form of the lines in it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Let systemd make the control groups
    #[arg(long)]
    pub systemd_cgroup: bool,
    /// Taken for the sake of callers: there is nothing more to tell
    #[arg(long)]
    pub debug: bool,
    /// Taken for the sake of callers
    #[arg(long, value_name = "true|false|auto", default_value = "auto")]
    pub rootless: String,
    /// Taken for the sake of callers: there are no checkpoints
    #[arg(long, value_name = "PROGRAM")]
    pub criu: Option<PathBuf>,
}

/// Form of the lines of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `error: …`
    Text,
    /// `{"level":"error","msg":…}`
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a container, up to its program
    Create(Create),
    /// Execute the program of a container that was created
    Start {
        /// Name of the container
        id: String,
    },
    /// Write the state of a container as JSON
    State {
        /// Name of the container
        id: String,
    },
    /// Send a signal to the first process of a container
    Kill(Kill),
    /// Take a container away
    Delete(Delete),
    /// Create a container and start it
    Run(Run),
    /// Execute a program in a running container
    Exec(Box<Exec>),
    /// Write which processes a container has
    Ps(Ps),
    /// Stop all processes of a container where they are
    Pause {
        /// Name of the container
        id: String,
    },
    /// Let them go on
    Resume {
        /// Name of the container
        id: String,
    },
    /// Change the limits of a container
    Update(Update),
    /// Write what a container uses, and when its memory runs out
    Events(Events),
    /// Write which containers there are
    List(List),
    /// Write what this runtime can do as JSON
    Features,
    /// Write a `config.json` to begin with
    Spec(Spec),
}

/// How a container is made.
#[derive(Args, Debug)]
pub struct Create {
    /// Name of the container
    pub id: String,
    /// Directory of the bundle
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// Unix socket that the master of the terminal is sent to
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// File for the process id of the first process
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Change the root without pivot_root(2), as on an initramfs
    #[arg(long)]
    pub no_pivot: bool,
    /// Leave the program in the caller's session keyring
    #[arg(long)]
    pub no_new_keyring: bool,
    /// Hand so many more descriptors on, from 3
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,
}

/// `create` and `start`.
#[derive(Args, Debug)]
pub struct Run {
    /// How it is made.
    #[command(flatten)]
    pub create: Create,
    /// Return when it has started
    #[arg(long, short)]
    pub detach: bool,
    /// Leave it there when it has ended
    #[arg(long)]
    pub keep: bool,
    /// Taken for the sake of callers
    #[arg(long)]
    pub no_subreaper: bool,
}

/// What to send.
#[derive(Args, Debug)]
pub struct Kill {
    /// Name of the container
    pub id: String,
    /// The signal
    #[arg(default_value = "TERM")]
    pub signal: String,
    /// To all processes of the container
    #[arg(long, short)]
    pub all: bool,
}

/// What to take away.
#[derive(Args, Debug)]
pub struct Delete {
    /// Name of the container
    pub id: String,
    /// Also one that runs, or is not there
    #[arg(long, short)]
    pub force: bool,
}

/// What to execute.
#[derive(Args, Debug)]
pub struct Exec {
    /// Name of the container
    pub id: String,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
    /// File with the process as JSON, as in `config.json`
    #[arg(long, short, value_name = "FILE")]
    pub process: Option<PathBuf>,
    /// Unix socket that the master of the terminal is sent to
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// File for the process id
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Return when it has started
    #[arg(long, short)]
    pub detach: bool,
    /// With a terminal
    #[arg(long, short)]
    pub tty: bool,
    /// Its working directory
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Another variable of its environment
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Its user, by number
    #[arg(long, short, value_name = "UID[:GID]")]
    pub user: Option<String>,
    /// Another group of it
    #[arg(long, short = 'g', value_name = "GID")]
    pub additional_gids: Vec<u32>,
    /// Another capability of it
    #[arg(long, short, value_name = "NAME")]
    pub cap: Vec<String>,
    /// It gets no rights by executing a file
    #[arg(long)]
    pub no_new_privs: bool,
    /// Its `AppArmor` profile
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,
    /// Its SELinux label
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,
    /// Control group below the container's
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,
    /// Hand so many more descriptors on, from 3
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,
    /// Also in a paused container, where it waits
    #[arg(long)]
    pub ignore_paused: bool,
}

/// Which processes.
#[derive(Args, Debug)]
pub struct Ps {
    /// Form of what is written
    #[arg(long, short, default_value = "table")]
    pub format: Format,
    /// Name of the container
    pub id: String,
    /// Arguments of ps(1)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// How to list.
#[derive(Args, Debug)]
pub struct List {
    /// Form of what is written
    #[arg(long, short, default_value = "table")]
    pub format: Format,
    /// Names alone
    #[arg(long, short)]
    pub quiet: bool,
}

/// Form of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Which limits.
#[derive(Args, Debug)]
pub struct Update {
    /// Name of the container
    pub id: String,
    /// File with `linux.resources` as JSON; `-`: standard input. The other options do not count then
    #[arg(long, short, value_name = "FILE")]
    pub resources: Option<PathBuf>,
    /// Weight of its I/O, 10 to 1000
    #[arg(long, value_name = "N")]
    pub blkio_weight: Option<u16>,
    /// Period of its processor time, microseconds
    #[arg(long, value_name = "N")]
    pub cpu_period: Option<u64>,
    /// Its processor time in a period, microseconds
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,
    /// Processor time that it may use up later, microseconds
    #[arg(long, value_name = "N")]
    pub cpu_burst: Option<u64>,
    /// 1: it gets what nobody else wants
    #[arg(long, value_name = "0|1", allow_hyphen_values = true)]
    pub cpu_idle: Option<i64>,
    /// Period of the processor time of its real-time programs, microseconds
    #[arg(long, value_name = "N")]
    pub cpu_rt_period: Option<u64>,
    /// Processor time of its real-time programs in a period, microseconds
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_rt_runtime: Option<i64>,
    /// Its share of the processors
    #[arg(long, value_name = "N")]
    pub cpu_share: Option<u64>,
    /// Its processors
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// Its memory nodes
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// Its memory, bytes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory: Option<i64>,
    /// Its memory when the machine has little, bytes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory_reservation: Option<i64>,
    /// Its memory and swap, bytes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub memory_swap: Option<i64>,
    /// Most processes that it has
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,
}

/// What to tell.
#[derive(Args, Debug)]
pub struct Events {
    /// Name of the container
    pub id: String,
    /// Once, and return
    #[arg(long)]
    pub stats: bool,
    /// Time between two looks, such as `5s`
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = interval)]
    pub interval: std::time::Duration,
}

fn interval(text: &str) -> Result<std::time::Duration, String> {
    crate::model::duration::parse(text).map_err(|error| error.message())
}

/// Where to write.
#[derive(Args, Debug)]
pub struct Spec {
    /// Directory of the bundle
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
}
