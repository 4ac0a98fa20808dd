//! `image.exec()` and `image.sh()`: one command in a container of its own.

use super::Image;
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, ExecIo, RestartPolicy};
use crate::script::api::deadline::within;
use crate::script::api::live_output::LiveOutput;
use crate::script::api::result::CommandResult;
use crate::script::api::run_options::RunOptions;
use crate::script::api::values::{CommandLine, Stdin};
use crate::script::binding::{Call, Callback, Options, api};
use std::time::Duration;

/// Options of `image.exec` and `image.sh`: those of `run`, and these.
#[derive(Default, Options)]
pub struct ImageExecOptions {
    /// Those of `run`.
    #[option(flatten)]
    pub run: RunOptions,
    /// `false`: a code other than 0 is no error.
    pub check: Option<bool>,
    /// Kills it after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Image {
    /// Runs one command in a container of its own, waits for it and removes it.
    ///
    /// # Example (engine)
    /// print(image("node:18").exec("node --version").text);
    ///
    /// # Errors
    /// `exit` on a code other than 0 unless `check: false`, `timeout`, and those of `run`.
    pub fn exec(
        &self,
        call: &Call,
        cmd: Option<CommandLine>,
        options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        self.run_once(call, cmd, options, on_line)
    }

    /// Runs a line with `/bin/sh -c` instead of the image's entrypoint; otherwise as `exec`.
    ///
    /// # Example (engine)
    /// print(image("node:18").sh("ls / | wc -l").text);
    ///
    /// # Errors
    /// Those of `exec`.
    pub fn sh(
        &self,
        call: &Call,
        line: String,
        mut options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        options.run.entrypoint = Some(CommandLine::default());
        self.run_once(call, Some(CommandLine::shell(line)), options, on_line)
    }
}

impl Image {
    fn run_once(
        &self,
        call: &Call,
        cmd: Option<CommandLine>,
        mut options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        let (stdin, keep_open) = match std::mem::take(&mut options.run.stdin) {
            Stdin::Data(data) => (Some(data), false),
            Stdin::Open => (None, true),
            Stdin::Closed => (None, false),
        };
        let pull = options.run.pull_policy();
        let removed = options.run.remove.unwrap_or(true);
        let mut spec = self.spec(call, cmd, options.run)?;
        spec.stdin = keep_open;
        if !removed || spec.restart != RestartPolicy::No {
            return Err(Error::invalid("`exec` and `sh` remove their container when the command ends")
                .hint("use `run` for a container that stays"));
        }
        let what = what_runs(&spec);
        let mut live = on_line.map(|on_line| LiveOutput::new(call, on_line));
        let mut sink = live.as_mut().map(|live| |stream, bytes: &[u8]| live.write(stream, bytes));
        let io = ExecIo { stdin, on_output: sink.as_mut().map(|sink| sink as _), keep_end: false };
        let engine = call.engine()?;
        let output = within(
            &call.context(),
            options.timeout,
            || format!("command {what}"),
            |cx| engine.run_once(cx, &spec, pull, io),
        );
        let result = CommandResult::of(output, options.check)?;
        if let Some(live) = live {
            live.finish()?;
        }
        result.checked(options.check, &what)
    }
}

fn what_runs(spec: &ContainerSpec) -> String {
    match spec.cmd.as_deref().and_then(|argv| argv.first()) {
        Some(program) => format!("`{program}` in `{}`", spec.image),
        None => format!("`{}`", spec.image),
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::model::RunOutput;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn sh_clears_the_entrypoint_and_exec_keeps_it() {
        let engine = RecordingEngine::default();
        engine.eval(r#"image("a").sh("x | y", #{ stdin: "in" }); image("a").exec("x", #{ env: ["A=1"] });"#).unwrap();
        engine.with(|recording| {
            assert_eq!(recording.specs[0].entrypoint, Some(vec![]));
            assert_eq!(recording.specs[0].cmd.as_deref().unwrap().join(" "), "/bin/sh -c x | y");
            assert_eq!((recording.specs[1].entrypoint.clone(), recording.specs[1].env.len()), (None, 1));
            assert_eq!(recording.calls[0], "run once, reading Some(\"in\")");
        });
    }

    #[test]
    fn a_code_other_than_0_throws_with_the_output_unless_told_not_to() {
        let engine = RecordingEngine::default();
        engine.with(|recording| {
            recording.output =
                RunOutput { code: 3, stdout: b"out\n".into(), stderr: b"bad\n".into(), ..RunOutput::default() };
        });
        let error = engine.eval(r#"image("a").exec("x")"#).expect_err("code 3");
        assert!(error.is(ErrorKind::Exit) && error.message().ends_with("`x` in `a` ended with code 3"), "{error:?}");
        assert_eq!(error.exit_details().unwrap().stderr, b"bad\n");
        let shown = engine
            .eval(r#"let r = image("a").exec("x", #{ check: false }); print([r.code, r.text, r.lines, r.stdout])"#);
        assert_eq!(shown.unwrap(), r#"[3, "out", ["out"], "out\n"]"#);
    }

    #[test]
    fn a_program_that_cannot_be_executed_is_a_code_when_nothing_is_checked() {
        let engine = RecordingEngine::default();
        engine.with(|recording| recording.not_executed = true);
        for call in [r#"image("a").exec"#, r#"container("web").exec"#] {
            let shown = engine.eval(&format!(r#"let r = {call}("x", #{{ check: false }}); print(r)"#));
            assert_eq!(shown.unwrap(), r#"CommandResult(code: 127, stderr: "cannot execute `x`\n")"#);
            let error = engine.eval(&format!(r#"{call}("x")"#)).expect_err("it is checked");
            assert_eq!(error.exit_details().unwrap().code, 127);
        }
    }

    #[test]
    fn a_timeout_says_what_took_too_long() {
        let engine = RecordingEngine::default();
        engine.with(|recording| recording.hangs = true);
        for (call, what) in [(r#"image("a").exec"#, "`x` in `a`"), (r#"container("web").exec"#, "`x y`")] {
            let error = engine.eval(&format!(r#"{call}("x y", #{{ timeout: "5ms" }})"#)).expect_err(call);
            assert!(error.is(ErrorKind::Timeout), "{error:?}");
            assert!(error.message().ends_with(&format!("{what} did not end within 5ms")), "{error:?}");
        }
    }

    #[test]
    fn a_container_of_exec_does_not_stay() {
        for options in ["remove: false", r#"restart: "always""#] {
            let script = format!(r#"image("a").exec("x", #{{ {options} }})"#);
            assert!(RecordingEngine::default().eval(&script).expect_err(options).is(ErrorKind::Invalid));
        }
    }
}
