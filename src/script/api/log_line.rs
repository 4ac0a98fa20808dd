//! `LogLine`: one line that a command or container wrote.

use crate::model;
use crate::script::binding::{Object, api};

/// One line of output, without its line end.
#[derive(Clone, Object)]
pub struct LogLine {
    text: String,
    stream: &'static str,
    time: jiff::Timestamp,
}

#[api]
impl LogLine {
    /// When it was read.
    #[get(column)]
    pub fn time(&self) -> jiff::Timestamp {
        self.time
    }

    /// `stdout` or `stderr`.
    #[get(column)]
    pub fn stream(&self) -> String {
        self.stream.to_owned()
    }

    /// What was written; bytes that are not UTF-8 are replaced.
    #[get(column)]
    pub fn text(&self) -> String {
        self.text.clone()
    }
}

impl From<model::LogLine> for LogLine {
    fn from(line: model::LogLine) -> Self {
        Self { text: String::from_utf8_lossy(&line.text).into_owned(), stream: line.stream.name(), time: line.time }
    }
}
