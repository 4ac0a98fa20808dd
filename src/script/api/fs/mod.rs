//! `fs::`: files and folders of this machine. Relative paths start at the working directory.

mod copy;
mod files;
mod folders;
mod glob;
mod lock;
mod stat;
