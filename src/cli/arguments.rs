//! The command line as clap reads it.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A container engine that you script: one binary, no daemon.
#[derive(Parser)]
#[command(name = "shanty", version, allow_external_subcommands = true)]
#[command(after_help = "Without a command: a prompt, or a script on standard input.\n\
    `shanty FILE [ARG…]` runs a script, `shanty NAME [ARG…]` the command of that name (`shanty ps`).\n\
    `shanty oci`, also called `shanty-oci`, is an OCI runtime for other engines: `shanty oci --help`.")]
pub struct Arguments {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    /// Whether it may come to containers: a script may, whatever it holds.
    pub fn needs_engine(&self) -> bool {
        !matches!(self.command, Some(Command::Check { .. } | Command::Doc { .. } | Command::Doctor))
    }
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where images, containers and volumes are kept [default: /var/lib/shanty, without root ~/.local/share/shanty].
    #[arg(long, global = true, value_name = "DIR", env = "SHANTY_ROOT")]
    pub root: Option<PathBuf>,
    /// Another engine than the embedded one.
    #[arg(long, global = true, value_name = "URL", env = "SHANTY_ENGINE")]
    pub engine: Option<String>,
    /// Write the script's last value as one JSON document; what it prints goes to standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no notes.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log to standard error: error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
}

/// The built-in commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run a script.
    Run {
        /// The script.
        file: PathBuf,
        /// What `args()` gives.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run code given on the command line.
    Eval {
        /// The code.
        code: String,
        /// What `args()` gives.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Check scripts and Dockerfiles for mistakes without running them.
    Check {
        /// The files. A Dockerfile is called `Dockerfile`, `Dockerfile.NAME`, `NAME.dockerfile` or `Containerfile`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show the reference, or the help on one name.
    Doc {
        /// A function, type or module: `run`, `Container`, `fs::read`.
        name: Option<String>,
    },
    /// Say whether this machine runs containers for you, and what would mend it. Exits with 1 when something stops them.
    Doctor,
    /// A script, or the name of a command that is one.
    #[command(external_subcommand)]
    Script(Vec<String>),
}
