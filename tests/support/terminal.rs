//! `shanty` in a terminal: a tmux server of the test's own.

use super::{Shanty, wait_until};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A terminal of 110 by 50 characters. Dropping it ends what runs in it.
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Calls `shanty` with these arguments in a terminal.
    pub fn start(shanty: &Shanty, args: &[&str]) -> Self {
        Self::start_program(&shanty.work(), &shanty.call(args).into_command())
    }

    /// Runs a program in a terminal, with the environment that is set for it and no other.
    pub fn start_program(folder: &Path, command: &Command) -> Self {
        let terminal = Self { folder: TempDir::with_prefix("shanty-tmux-").unwrap() };
        let mut words = vec!["env".into(), "-i".into(), "TERM=screen".into()];
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                words.push(quoted(&format!("{}={}", name.to_string_lossy(), value.to_string_lossy())));
            }
        }
        words.push(quoted(&command.get_program().to_string_lossy()));
        words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
        let folder = folder.to_str().unwrap();
        // A shell tells the exit code: tmux does not always learn it. Ctrl-C is for the program alone.
        let line = format!("trap : INT; {}; echo \"[ended with $?]\"; exec cat", words.join(" "));
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "50", "-c", folder, &line]);
        terminal
    }

    /// Types text.
    pub fn types(&self, text: &str) -> &Self {
        // At the end of an argument, `;` would end tmux's own command.
        let escaped = text.strip_suffix(';').map(|text| format!("{text}\\;"));
        self.tmux(&["send-keys", "-l", escaped.as_deref().unwrap_or(text)]);
        self
    }

    /// Presses a key: `Enter`, `Tab`, `C-c`.
    pub fn key(&self, key: &str) -> &Self {
        self.tmux(&["send-keys", key]);
        self
    }

    /// Types a line.
    pub fn enter(&self, line: &str) -> &Self {
        self.types(line).key("Enter")
    }

    /// Changes the size of the window.
    pub fn resize(&self, columns: u16, rows: u16) -> &Self {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        self
    }

    /// Sends a signal to the program.
    pub fn signal_program(&self, signal: nix::sys::signal::Signal) {
        let shell = self.tmux(&["list-panes", "-F", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = std::fs::read_to_string(children).unwrap();
        let program = children.split_whitespace().next().unwrap().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(program), signal).unwrap();
    }

    /// Clears what is shown.
    pub fn clear(&self) -> &Self {
        self.key("C-l")
    }

    /// Waits until the text is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) -> &Self {
        self.shows_times(text, 1)
    }

    /// Waits until the text is on the screen so many times.
    #[track_caller]
    pub fn shows_times(&self, text: &str, times: usize) -> &Self {
        let shown = std::panic::catch_unwind(|| wait_until(LIMIT, || self.screen().matches(text).count() >= times));
        assert!(shown.is_ok(), "`{}` was not shown:\n{}", text.escape_debug(), self.screen());
        self
    }

    /// Waits until the program has ended with this code.
    #[track_caller]
    pub fn ends_with(&self, code: i32) {
        self.shows(&format!("[ended with {code}]"));
    }

    /// What is shown, and what was scrolled away.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"])
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").arg("-S").arg(self.folder.path().join("socket")).args(args).output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails when the server has ended by itself.
        let _ = Command::new("tmux").arg("-S").arg(self.folder.path().join("socket")).arg("kill-server").output();
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
