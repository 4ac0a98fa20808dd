//! `container.top()`: its processes.

use super::Container;
use crate::error::Result;
use crate::model::ProcessInfo;
use crate::script::binding::{Call, Object, api};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// A process of a container, as the host sees it.
#[derive(Clone, Object)]
pub struct Process(Arc<ProcessInfo>);

#[api]
impl Process {
    /// Name of its user on the host, or the number where it has none.
    #[get(column)]
    pub fn uid(&self) -> String {
        self.0.user.clone()
    }

    /// Process id on the host.
    #[get(column)]
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// Process id of its parent on the host.
    #[get(column)]
    pub fn ppid(&self) -> i32 {
        self.0.ppid
    }

    /// Percent of a processor that it has used over its life.
    #[get(column)]
    pub fn c(&self) -> u64 {
        self.0.cpu_percent
    }

    /// When it started: `14:05`, or `Nov26` before today.
    #[get(column)]
    pub fn stime(&self) -> String {
        let (started, now) = (self.0.started, jiff::Timestamp::now());
        let local = |time: jiff::Timestamp| time.to_zoned(TimeZone::system());
        let is_today = local(started).date() == local(now).date();
        local(started).strftime(if is_today { "%H:%M" } else { "%b%d" }).to_string()
    }

    /// Its terminal, `?` without one.
    #[get(column)]
    pub fn tty(&self) -> String {
        self.0.tty.clone()
    }

    /// Time on processors: `00:01:30`.
    #[get(column)]
    pub fn time(&self) -> String {
        let seconds = self.0.cpu_seconds;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// Its command line.
    #[get(column)]
    pub fn cmd(&self) -> String {
        self.0.command.clone()
    }
}

#[api]
impl Container {
    /// Its processes, those of `exec` too, as `docker top` lists them: `uid`, `pid`, `ppid`, `c`, `stime`, `tty`, `time`,
    /// `cmd`; pids are the host's.
    ///
    /// # Example (engine)
    /// print(container("web").top());
    ///
    /// # Errors
    /// `conflict` when it does not run, `not_found`.
    pub fn top(&self, call: &Call) -> Result<Vec<Process>> {
        let found = call.engine()?.top(&call.context(), self.reference())?;
        Ok(found.into_iter().map(|process| Process(Arc::new(process))).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn processes_print_as_a_table() {
        let printed = RecordingEngine::default().eval(r#"let t = container("web").top(); print(t); print(t[0].pid)"#);
        let printed = printed.unwrap();
        let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
        assert_eq!(
            (&lines[1][..4], &lines[1][5..]),
            (&["root", "12", "7", "3"][..], &["?", "01:01:02", "sleep", "9"][..])
        );
        assert_eq!(lines[2], ["12"]);
    }
}
