//! Who calls the program under test: root, or with `SHANTY_TEST_AS` an ordinary user, which `tests/run` makes.
//!
//! The test itself stays root: what it looks at and makes on the machine is the same. Files that it makes for the program
//! belong to the user, as if the user had made them.

use nix::unistd::{Gid, Uid, User, chown, setfsgid, setfsuid};
use shanty::sys::capability;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Its name.
const NAME: &str = "shanty-test";

/// The ordinary user that calls the program.
#[derive(Debug)]
pub struct Caller {
    uid: Uid,
    gid: Gid,
    /// Without its ranges of ids.
    single: bool,
    /// Where it can execute the program.
    program: PathBuf,
}

/// The user who calls the program under test; `None`: root.
pub fn caller() -> Option<&'static Caller> {
    static CALLER: LazyLock<Option<Caller>> = LazyLock::new(|| {
        let kind = std::env::var("SHANTY_TEST_AS").ok()?;
        let single = match kind.as_str() {
            "ranges" => false,
            "single" => true,
            other => panic!("SHANTY_TEST_AS is `ranges` or `single`, not `{other}`"),
        };
        let user = User::from_name(NAME).unwrap().expect("tests/run makes the user");
        let program = std::env::var_os("SHANTY_TEST_PROGRAM").expect("tests/run copies the program").into();
        Some(Caller { uid: user.uid, gid: user.gid, single, program })
    });
    CALLER.as_ref()
}

/// The program under test, where its caller can execute it.
pub fn program() -> PathBuf {
    caller().map_or_else(|| env!("CARGO_BIN_EXE_shanty").into(), |caller| caller.program.clone())
}

/// A call of the program under test.
pub fn command() -> Command {
    caller().map_or_else(|| Command::new(program()), Caller::command)
}

/// Where the run-time folders of the caller's roots are.
pub fn run_base() -> PathBuf {
    caller().map_or_else(
        || "/run/shanty".into(),
        |caller| format!("/tmp/shanty-{}{}", caller.uid, if caller.single { "-single" } else { "" }).into(),
    )
}

impl Caller {
    /// A call of the program by this user.
    pub fn command(&self) -> Command {
        // Said in words, so that whoever copies the command into another one has all of it.
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={}", self.uid), format!("--regid={}", self.gid), "--clear-groups".to_owned()]);
        command.arg(&self.program);
        command
    }

    /// The environment that it needs.
    pub fn environment(&self) -> Option<(&'static str, &'static str)> {
        self.single.then_some(("SHANTY_SINGLE_ID", "1"))
    }

    /// Gives files to this user, and has this thread make those that follow as this user, with the rights of root.
    pub fn takes<'a>(&self, files: impl IntoIterator<Item = &'a Path>) {
        for file in files {
            chown(file, Some(self.uid), Some(self.gid)).unwrap();
        }
        setfsgid(self.gid);
        setfsuid(self.uid);
        // The kernel has just taken those that have to do with files.
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let set = |name: &str| {
            let set = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(set.trim(), 16).unwrap()
        };
        capability::set(set("CapPrm:"), set("CapPrm:"), set("CapInh:")).unwrap();
    }

    /// Gives a file that root has made to this user, with all that is in it.
    pub fn owns(&self, path: &Path) {
        let owner = format!("{}:{}", self.uid, self.gid);
        let status = Command::new("chown").args(["-hR", &owner]).arg(path).status().unwrap();
        assert!(status.success());
    }

    /// This thread is root again.
    pub fn is_done(&self) {
        setfsuid(Uid::from_raw(0));
        setfsgid(Gid::from_raw(0));
    }
}
