//! Gives the output of a running command to a callback, line by line.

use super::log_line::LogLine;
use crate::error::Result;
use crate::model::{self, Stream};
use crate::script::binding::{Call, Callback, IntoScript};

/// A line longer than this is given in pieces, as the container logs have it.
const LONGEST: usize = 16 * 1024;

/// Collects the chunks of both streams into lines.
pub struct LiveOutput<'a, 'b> {
    call: &'a Call<'b>,
    on_line: Callback,
    pending: [Vec<u8>; 2],
}

impl<'a, 'b> LiveOutput<'a, 'b> {
    /// Calls `on_line` with each line.
    pub fn new(call: &'a Call<'b>, on_line: Callback) -> Self {
        Self { call, on_line, pending: [Vec::new(), Vec::new()] }
    }

    /// Takes a chunk, and gives the lines that are complete with it.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        let mut pending = std::mem::take(self.pending_of(stream));
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            pending.extend_from_slice(part);
            if pending.ends_with(b"\n") || pending.len() >= LONGEST {
                self.give(stream, std::mem::take(&mut pending))?;
            }
        }
        *self.pending_of(stream) = pending;
        Ok(())
    }

    /// Gives what stands behind the last line end.
    pub fn finish(mut self) -> Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(self.pending_of(stream));
            if !rest.is_empty() {
                self.give(stream, rest)?;
            }
        }
        Ok(())
    }

    fn pending_of(&mut self, stream: Stream) -> &mut Vec<u8> {
        &mut self.pending[usize::from(stream == Stream::Stderr)]
    }

    fn give(&self, stream: Stream, mut text: Vec<u8>) -> Result<()> {
        for end in [b'\n', b'\r'] {
            if text.last() == Some(&end) {
                text.pop();
            }
        }
        let line = LogLine::from(model::LogLine { text, stream, time: jiff::Timestamp::now() });
        self.on_line.call(self.call, vec![line.into_script()?]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::RunOutput;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn chunks_become_lines_and_this_is_the_receiver() {
        let engine = RecordingEngine::default();
        engine.with(|recording| {
            recording.output = RunOutput {
                code: 0,
                stdout: b"first line\r\n\nlast".into(),
                stderr: b"oops\n".into(),
                ..RunOutput::default()
            };
        });
        let printed = engine.eval(
            r#"let c = container("web");
               c.exec("x", |line| print(`${this.name} ${line.stream}: ${line.text}`));"#,
        );
        // What has no line end comes when the command has ended.
        assert_eq!(printed.unwrap(), "web stdout: first line\nweb stdout: \nweb stderr: oops\nweb stdout: last");
    }

    #[test]
    fn what_the_callback_throws_comes_out_as_it_was_thrown() {
        let engine = RecordingEngine::default();
        engine.with(|recording| recording.output.stdout = b"a\n".into());
        let printed = engine.eval(r#"try { container("web").exec("x", |line| throw 42) } catch (e) { print(e) }"#);
        assert_eq!(printed.unwrap(), "42");
    }
}
