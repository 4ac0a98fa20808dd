//! Other people's engines, with this binary as their runtime.

use super::bundle::Output;
use crate::support::fixtures::{Missing, program};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The image in every engine.
pub const IMAGE: &str = "busybox:1";

/// The client of an engine.
pub trait Engine {
    /// Calls it with these arguments.
    fn client(&self, args: &[&str]) -> Command;

    /// Calls it with input.
    #[track_caller]
    fn call_with(&self, args: &[&str], input: &str) -> Output {
        let mut child =
            self.client(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may not want it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Calls it; it must succeed: its output.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.call_with(args, "");
        assert_eq!(output.code, 0, "{args:?}: {output:?}");
        output.stdout
    }

    /// Gives it the image.
    fn import(&self, folder: &TempDir) -> Result<(), Missing> {
        let tar = rootfs(folder)?;
        let input = File::open(tar).unwrap();
        let output = self.client(&["import", "-", IMAGE]).stdin(input).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Ok(())
    }
}

/// `shanty-oci`, in a folder.
pub fn runtime(folder: &TempDir) -> PathBuf {
    let link = folder.path().join("shanty-oci");
    symlink(env!("CARGO_BIN_EXE_shanty"), &link).unwrap();
    link
}

fn rootfs(folder: &TempDir) -> Result<PathBuf, Missing> {
    let busybox = program("busybox")?;
    let path = folder.path().join("rootfs.tar");
    let mut builder = tar::Builder::new(File::create(&path).unwrap());
    builder.append_path_with_name(&busybox, "bin/busybox").unwrap();
    let applets = Command::new(busybox).arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        builder.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    builder.finish().unwrap();
    Ok(path)
}

/// The life of a container, as every engine tells it: detached, with input, exec, limits, pause, stop, kill, removal.
/// `options` go to `run`, `group` is where the container's control group is, by its id.
pub fn lives_a_whole_life(engine: &impl Engine, options: &[&'static str], group: impl Fn(&str) -> String) {
    let run = |more: &[&'static str]| -> Vec<&str> { [&["run"], options, more].concat() };
    let script = "echo out; echo err >&2; trap 'exit 5' TERM; while :; do sleep 0.1; done";
    let limits = ["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"];
    engine.ok(&run(&[&["-d", "--name", "life"], &limits[..], &[IMAGE, "sh", "-c", script]].concat()));
    let id = engine.ok(&["inspect", "-f", "{{.Id}}", "life"]);
    let file = |controller: &str, name: &str| {
        let path = format!("/sys/fs/cgroup/{controller}/{}/{name}", group(id.trim()));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")).trim().to_owned()
    };
    if std::path::Path::new("/sys/fs/cgroup/memory").is_dir() {
        assert_eq!(file("memory", "memory.limit_in_bytes"), "67108864");
        assert_eq!(file("pids", "pids.max"), "50");
        assert_eq!(file("cpu", "cpu.cfs_quota_us"), "50000");
    } else {
        assert_eq!((file("", "memory.max"), file("", "pids.max")), ("67108864".into(), "50".into()));
        assert_eq!(file("", "cpu.max"), "50000 100000");
    }

    let output = engine.call_with(&["exec", "-i", "life", "sh", "-c", "cat; exit 3"], "typed");
    assert_eq!((output.code, output.stdout.as_str()), (3, "typed"), "{output:?}");
    let options_of_exec =
        ["exec", "-e", "A=b", "-w", "/bin", "-u", "5:6", "life", "sh", "-c", "echo $A; pwd; id -u; id -g"];
    assert_eq!(engine.ok(&options_of_exec), "b\n/bin\n5\n6\n");
    assert!(engine.ok(&["top", "life"]).contains("sleep 0.1"));
    let logs = engine.call_with(&["logs", "life"], "");
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("out\n", "err\n"));

    let status = || engine.ok(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "life"]).trim().to_owned();
    engine.ok(&["pause", "life"]);
    assert!(status().starts_with("paused"), "{}", status());
    engine.ok(&["unpause", "life"]);
    assert!(status().starts_with("running"), "{}", status());
    engine.ok(&["stop", "-t", "30", "life"]);
    assert_eq!(status(), "exited 5");
    engine.ok(&["start", "life"]);
    engine.ok(&["kill", "-s", "KILL", "life"]);
    assert_eq!(engine.ok(&["wait", "life"]).trim(), "137");
    engine.ok(&["rm", "life"]);
    assert!(engine.call_with(&["inspect", "life"], "").code != 0);
    let left = format!("/sys/fs/cgroup/pids/{}", group(id.trim()));
    assert!(!std::path::Path::new(&left).exists(), "{left} is left");

    // In the foreground: input, exit codes, and what cannot be executed.
    let output = engine.call_with(&run(&["--rm", "-i", IMAGE, "sh", "-c", "cat; exit 42"]), "in");
    assert_eq!((output.code, output.stdout.as_str()), (42, "in"), "{output:?}");
    for (command, code) in [("nothing-such", 127), ("/bin", 126)] {
        let output = engine.call_with(&run(&["--rm", IMAGE, command]), "");
        assert_eq!(output.code, code, "{output:?}");
    }
    // With a terminal, and one beside it; detached, since the test has none itself.
    engine.ok(&run(&["-d", "-t", "--name", "tty", IMAGE, "sh", "-c", "tty; exec sleep 1000"]));
    crate::support::wait_until(super::bundle::LIMIT, || engine.ok(&["logs", "tty"]).contains("/dev/pts/0"));
    assert_eq!(engine.call_with(&["exec", "tty", "tty"], "").stdout.trim(), "not a tty");
    engine.ok(&["rm", "-f", "tty"]);
}

/// The same, typed at a terminal: util-linux's script(1) has one for the client.
pub fn is_used_at_a_terminal(engine: &impl Engine, options: &[&str]) {
    let run =
        [&["run"], options, &["--rm", "-i", "-t", IMAGE, "sh", "-c", "tty; read x; echo got $x; exit 6"]].concat();
    let client = engine.client(&run);
    let word = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let line = [client.get_program()].into_iter().chain(client.get_args()).map(word).collect::<Vec<_>>().join(" ");
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("/dev/pts/0") && text.contains("got typed"), "{text}");
    assert_eq!(output.status.code(), Some(6), "{text}");
}
