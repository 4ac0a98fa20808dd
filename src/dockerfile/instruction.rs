//! What a Dockerfile consists of.

use crate::model::HealthcheckSpec;

/// Lines of the file, from 1, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: usize,
    /// The last.
    pub last: usize,
}

/// One instruction. Words in it have their quotes and variables still; [`crate::dockerfile::Expander`] takes them away.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// Where it is.
    pub span: Span,
    /// It on one line, as BuildKit shows it: `RUN npm install`.
    pub source: String,
    /// Its first word as written: `run`.
    pub keyword: String,
    /// The comments right above it.
    pub comments: Vec<String>,
    /// Its pairs are in the old form `NAME the rest`, which BuildKit warns of.
    pub legacy_pairs: bool,
    /// What it does.
    pub kind: Kind,
}

/// What an instruction does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Copies, and unpacks or fetches.
    Add(Copy),
    /// Copies.
    Copy(Copy),
    /// Declares build arguments, with their defaults.
    Arg(Vec<(String, Option<String>)>),
    /// The default arguments of containers.
    Cmd(Form),
    /// The program of containers.
    Entrypoint(Form),
    /// Environment variables. In the old form, `ENV NAME the rest`, there is one.
    Env(Vec<(String, String)>),
    /// Ports: `80`, `53/udp`, `8000-8010`. [`crate::dockerfile::expose::ports`] reads them when expanded.
    Expose(Vec<String>),
    /// How to see that a container is well. `CMD` with a line is `CMD-SHELL`.
    Healthcheck(HealthcheckSpec),
    /// Labels.
    Label(Vec<(String, String)>),
    /// The author.
    Maintainer(String),
    /// An instruction for images that are built from this one, with its heredocs.
    OnBuild(String),
    /// Runs a command.
    Run(Run),
    /// The shell of lines that come after it.
    Shell(Vec<String>),
    /// The signal of `stop`.
    StopSignal(String),
    /// Who runs commands.
    User(String),
    /// Volumes of containers.
    Volume(Vec<String>),
    /// Where commands run.
    Workdir(String),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON array: a program and its arguments. No variables are replaced in it.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command; of a heredoc the line with the `<<`.
    pub command: Form,
    /// The heredocs of a line, in order, as written: leading tabs of `<<-` are there, variables are for the shell.
    pub heredocs: Vec<Heredoc>,
    /// Values of `--mount`, with their variables, for [`crate::dockerfile::mount::parse`].
    pub mounts: Vec<String>,
    /// `default`, `none` or `host`.
    pub network: Option<String>,
    /// `sandbox` or `insecure`.
    pub security: Option<String>,
    /// Values of `--device`.
    pub devices: Vec<String>,
}

/// `COPY` or `ADD`; what only one of them knows is not set for the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// Paths and patterns, and for `ADD` addresses.
    pub sources: Vec<String>,
    /// Sources that are in the Dockerfile itself: files of their name. Leading tabs of `<<-` are gone.
    pub heredocs: Vec<Heredoc>,
    /// Where they go; with a `/` at its end it is a folder.
    pub target: String,
    /// A stage, its number, or an image.
    pub from: Option<String>,
    /// `user:group`.
    pub chown: Option<String>,
    /// `755` or `u=rwX,go=rX`.
    pub chmod: Option<String>,
    /// A layer that does not depend on those below.
    pub link: bool,
    /// Keep the folders of the sources.
    pub parents: bool,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// Digest of what is fetched.
    pub checksum: Option<String>,
    /// Keep `.git`.
    pub keep_git_dir: bool,
    /// Unpack archives; `None`: local ones.
    pub unpack: Option<bool>,
}

/// Text between `<<NAME` and a line `NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heredoc {
    /// The word after `<<`, without quotes.
    pub name: String,
    /// The lines.
    pub content: String,
    /// Variables are replaced: no part of the word is quoted.
    pub expand: bool,
    /// Leading tabs go away: `<<-`.
    pub chomp: bool,
    /// The number before `<<`; 0 without one.
    pub descriptor: u32,
}

impl Heredoc {
    /// The content without the tabs that `<<-` takes away.
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}
