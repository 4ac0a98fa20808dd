//! Which container engine the scripts talk to.

use super::arguments::Options;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::native::NativeEngine;
use std::sync::Arc;

/// Opens the engine that the command line asks for.
pub fn open(options: &Options) -> Result<Arc<dyn Engine>> {
    if let Some(url) = &options.engine {
        return Err(Error::unsupported(format!("the engine `{url}` is not supported"))
            .hint("leave `--engine` and `SHANTY_ENGINE` out to use the embedded engine"));
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(needs_root());
    }
    Ok(Arc::new(NativeEngine::open(&options.root)?))
}

/// The error for everybody but root, with the command that works.
fn needs_root() -> Error {
    let command: Vec<String> = std::env::args().map(|arg| quoted(&arg)).collect();
    Error::new(ErrorKind::Denied, "containers need root for now")
        .hint(format!("run it as root: `sudo {}`", command.join(" ")))
}

/// An argument as a shell takes it.
fn quoted(arg: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("run.rhai"), "run.rhai");
        assert_eq!(quoted("print(1)"), "'print(1)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
