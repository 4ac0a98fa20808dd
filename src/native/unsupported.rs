//! What a container can be asked to have, and this engine cannot give yet: refused by name, never ignored.

use crate::error::{Error, Result};
use crate::model::{ContainerSpec, ExecSpec};

/// Refuses a container that would not be what was asked for.
pub fn check(spec: &ContainerSpec) -> Result<()> {
    refuse(&[("tty", spec.tty)])
}

/// Refuses a command that would not run as it was asked for.
pub fn check_exec(spec: &ExecSpec) -> Result<()> {
    refuse(&[("tty", spec.tty)])
}

fn refuse(options: &[(&str, bool)]) -> Result<()> {
    match options.iter().find(|(_, asked_for)| *asked_for) {
        Some((name, _)) => Err(Error::unsupported(format!("the option `{name}` cannot be used in this version"))
            .hint(format!("leave `{name}` out"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_would_be_ignored_is_refused_by_name() {
        let plain = ContainerSpec::default;
        for (name, spec) in [("tty", ContainerSpec { tty: true, ..plain() })] {
            let error = check(&spec).expect_err(name);
            assert!(error.is(ErrorKind::Unsupported) && error.message().contains(name), "{error:?}");
        }
        assert!(check(&plain()).is_ok());
        assert!(check_exec(&ExecSpec { tty: true, ..ExecSpec::default() }).is_err());
    }
}
