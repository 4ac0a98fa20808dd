//! Where errors and warnings go: standard error, and a file whose last error engines show to their users.

use super::arguments::{LogFormat, Options};
use crate::error::Error;
use std::io::Write;
use std::path::PathBuf;

/// The log of one call.
#[derive(Debug)]
pub struct Log {
    file: Option<PathBuf>,
    format: LogFormat,
}

impl Log {
    /// The one that the command line asks for.
    pub fn new(options: &Options) -> Self {
        Self { file: options.log.clone(), format: options.log_format }
    }

    /// Tells what could not be done as asked.
    pub fn warning(&self, text: &str) {
        if self.file.is_some() {
            self.append("warning", text);
        } else {
            eprintln!("warning: {text}");
        }
    }

    /// Tells why this call fails; also on standard error, where Podman looks.
    pub fn error(&self, error: &Error) {
        let message = match error.hint_text() {
            Some(hint) => format!("{} ({hint})", error.message()),
            None => error.message(),
        };
        self.append("error", &message);
        eprintln!("error: {message}");
    }

    fn append(&self, level: &str, text: &str) {
        let Some(file) = &self.file else { return };
        let time = jiff::Timestamp::now().to_string();
        let line = match self.format {
            LogFormat::Json => serde_json::json!({ "level": level, "msg": text, "time": time }).to_string(),
            LogFormat::Text => format!("time={time:?} level={level} msg={text:?}"),
        };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
        // Whoever reads it finds nothing there, and has the exit code.
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }
}
