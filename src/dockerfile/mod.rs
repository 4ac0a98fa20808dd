//! The language of Dockerfiles, as the current BuildKit frontend reads it. Pure: text in, values out.
//!
//! [`parse`] gives stages of instructions whose words keep their quotes and variables, since those are known only
//! while building; [`Expander`] replaces them then. [`ignore`] and [`wildcard`] are the patterns of `.dockerignore`,
//! `--exclude` and the sources of `COPY`; [`checks`] are the warnings of `docker build --check`.

pub mod checks;
mod directives;
mod expand;
pub mod expose;
mod flags;
mod glob;
mod heredoc;
pub mod ignore;
mod instruction;
mod key_values;
mod lines;
mod locate;
pub mod mount;
mod nearest;
mod parse;
mod read;
mod shell_pattern;
mod stage;
pub mod wildcard;
mod words;

pub use checks::Warning;
pub use directives::CheckDirective;
pub use expand::{Expanded, Expander};
pub use heredoc::is_heredoc;
pub use instruction::{Copy, Form, Heredoc, Instruction, Kind, Run, Span};
pub use locate::{excerpt, locate};
pub use parse::{Dockerfile, parse, parse_instruction, parse_trigger};
pub use stage::{From, Stage};

/// Bytes of a Dockerfile: more is none.
pub const LARGEST: usize = 1 << 20;
