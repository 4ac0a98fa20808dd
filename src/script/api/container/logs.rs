//! `container.logs()` and `container.follow()`.

use super::Container;
use crate::error::{Error, Result};
use crate::model::{LogOptions, Stream};
use crate::script::api::log_line::LogLine;
use crate::script::binding::{Call, Callback, IntoScript, Options, api};
use std::time::Duration;

/// Options of `logs`.
#[derive(Default, Options)]
pub struct LogsOptions {
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Only lines from this time on: `"2026-01-31T12:00:00Z"`, `"10m"` ago, or a `Time`.
    pub since: Option<jiff::Timestamp>,
    /// Only lines before this time.
    #[option(alias = "until")]
    pub before: Option<jiff::Timestamp>,
    /// Puts the time before each line, in nanoseconds.
    pub timestamps: bool,
    /// Only `"stdout"` or `"stderr"`.
    pub stream: Option<String>,
}

/// Options of `follow`.
#[derive(Default, Options)]
pub struct FollowOptions {
    /// Those of `logs`.
    #[option(flatten)]
    pub logs: LogsOptions,
    /// Stops following after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Container {
    /// What it has written, as text.
    ///
    /// # Example (engine)
    /// print(container("web").logs(#{ tail: 20 }));
    ///
    /// # Errors
    /// `not_found`, `unsupported` with `log: "none"`.
    pub fn logs(&self, call: &Call, options: LogsOptions) -> Result<String> {
        let timestamps = options.timestamps;
        let mut text = Vec::new();
        call.engine()?.logs(&call.context(), self.reference(), &options.lines(false)?, &mut |line| {
            if timestamps {
                text.extend_from_slice(format!("{:.9} ", line.time).as_bytes());
            }
            text.extend_from_slice(&line.text);
            text.push(b'\n');
            Ok(true)
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Gives each line (`.text`, `.stream`, `.time`) as it comes, from the first one on, until the container ends or
    /// the callback returns `false`. In the callback `this` is the container. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").follow(|line| print(this.name + ": " + line.text));
    ///
    /// # Errors
    /// `timeout`, `not_found`, `unsupported` with `log: "none"`, and what the callback throws.
    pub fn follow(&self, call: &Call, options: FollowOptions, on_line: Callback) -> Result<Container> {
        let cx = call.context().with_timeout(options.timeout);
        let lines = options.logs.lines(true)?;
        call.engine()?.logs(&cx, self.reference(), &lines, &mut |line| {
            on_line.call_until_false(call, vec![LogLine::from(line).into_script()?])
        })?;
        Ok(Self::new(self.reference()))
    }
}

impl LogsOptions {
    fn lines(self, follow: bool) -> Result<LogOptions> {
        let stream = match self.stream.as_deref() {
            None | Some("all") => None,
            Some("stdout") => Some(Stream::Stdout),
            Some("stderr") => Some(Stream::Stderr),
            Some(other) => {
                return Err(Error::invalid(format!("`{other}` is not a stream")).hint("it is `stdout` or `stderr`"));
            }
        };
        Ok(LogOptions { tail: self.tail, since: self.since, before: self.before, stream, follow })
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn logs_are_text_and_following_ends_with_false() {
        let engine = RecordingEngine::default();
        engine.with(|recording| recording.log = vec!["a", "b", "c"]);
        let printed = engine.eval(
            r#"let c = container("web");
               print(c.logs(#{ tail: 3, stream: "stdout", timestamps: true }));
               c.follow(|line| { print(line.text); line.text != "b" });"#,
        );
        let time = "1970-01-01T00:00:00.000000000Z";
        assert_eq!(printed.unwrap(), format!("{time} a\n{time} b\n{time} c\n\na\nb"));
        let calls = engine.with(|recording| recording.calls.clone());
        assert_eq!(calls, ["logs Some(3) Some(Stdout) false", "logs None None true"]);
        assert!(engine.eval(r#"container("web").logs(#{ stream: "x" })"#).is_err());
    }
}
