//! `spec`: a bundle's `config.json` to begin with.

use super::arguments::Spec as Arguments;
use super::container::OCI_VERSION;
use crate::error::{Error, IoContext, Result};
use oci_spec::runtime::Spec;
use std::io::Write;

/// Writes it into the bundle.
///
/// # Errors
/// `conflict` when there is one.
pub fn run(arguments: &Arguments) -> Result<()> {
    let path = arguments.bundle.join("config.json");
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned());
    if let Some(process) = spec.process_mut() {
        process.set_terminal(Some(true));
    }
    let text = serde_json::to_string_pretty(&spec)
        .map_err(|error| Error::invalid(format!("the specification cannot be written: {error}")))?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let doing = || format!("cannot write `{}`", path.display());
    match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::conflict(format!("`{}` exists already", path.display())).hint("remove it first"))
        }
        file => writeln!(file.doing(doing)?, "{text}").doing(doing),
    }
}
