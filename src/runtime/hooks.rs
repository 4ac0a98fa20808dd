//! Hooks of a bundle: programs that are executed at points of a container's life (runtime-spec, config.md).

use crate::error::{Error, ErrorKind, IoContext, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};
use oci_spec::runtime::Hook;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// As much of what a hook writes goes into its error.
const LONGEST_OUTPUT: u64 = 4096;

/// Executes hooks in their order, each with the container's state on its input; ends at the first that fails.
///
/// # Errors
/// `invalid` for what cannot be executed, `timeout` when one takes longer than it may, `exit` when one exits with another
/// code than 0; what it wrote is part of the message.
pub fn run(kind: &str, hooks: Option<&Vec<Hook>>, state: &serde_json::Value) -> Result<()> {
    for hook in hooks.into_iter().flatten() {
        run_one(hook, &state.to_string()).map_err(|error| {
            let message = format!("the {kind} hook `{}` failed: {}", hook.path().display(), error.message());
            Error::new(error.kind(), message)
        })?;
    }
    Ok(())
}

fn run_one(hook: &Hook, state: &str) -> Result<()> {
    if !hook.path().is_absolute() {
        return Err(Error::invalid("its path is not absolute"));
    }
    let doing = || "it cannot be executed";
    let output = File::from(memfd_create(c"hook", MFdFlags::MFD_CLOEXEC).doing(doing)?);
    let mut command = Command::new(hook.path());
    // The list begins with the name that the program is called by, as in execv(3).
    if let Some((name, arguments)) = hook.args().as_deref().unwrap_or_default().split_first() {
        command.arg0(name).args(arguments);
    }
    command.env_clear();
    for variable in hook.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        command.env(name, value);
    }
    command.stdin(Stdio::piped());
    command.stdout(output.try_clone().doing(doing)?).stderr(output.try_clone().doing(doing)?);
    let mut child = command.spawn().doing(doing)?;
    if let Some(mut input) = child.stdin.take() {
        // It may not want to know.
        let _ = input.write_all(state.as_bytes());
    }
    let timeout = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let status = wait(&mut child, timeout)?;
    if status.success() {
        return Ok(());
    }
    let said = what_was_written(output);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(Error::new(ErrorKind::Io, format!("{status}{said}")))
}

fn wait(child: &mut Child, timeout: Option<Duration>) -> Result<ExitStatus> {
    let doing = || "it cannot be waited for";
    let Some(timeout) = timeout else { return child.wait().doing(doing) };
    let until = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait().doing(doing)? {
            return Ok(status);
        }
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(ErrorKind::Timeout, format!("it takes longer than {} s", timeout.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn what_was_written(mut output: File) -> String {
    let mut text = Vec::new();
    if output.rewind().is_ok() {
        let _ = output.take(LONGEST_OUTPUT).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(json: serde_json::Value) -> Vec<Hook> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn they_get_the_state_and_stop_at_the_first_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        let script =
            |text: &str| serde_json::json!({ "path": "/bin/sh", "args": ["name", "-c", text], "env": ["A=b"] });
        let seen = file.display();
        let list = hooks(serde_json::json!([
            script(&format!("echo $0 $A $HOME >{seen}; cat >>{seen}")),
            script("echo said; exit 3"),
            script(&format!("echo never >>{seen}")),
        ]));
        let error = run("createRuntime", Some(&list), &serde_json::json!({ "id": "x" })).unwrap_err();
        assert_eq!(error.message(), "the createRuntime hook `/bin/sh` failed: exit status: 3: said");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "name b\n{\"id\":\"x\"}");
    }

    #[test]
    fn one_that_takes_too_long_is_killed() {
        let list = hooks(serde_json::json!([{ "path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1 }]));
        let error = run("poststop", Some(&list), &serde_json::Value::Null).unwrap_err();
        assert!(error.is(ErrorKind::Timeout), "{error:?}");
    }
}
