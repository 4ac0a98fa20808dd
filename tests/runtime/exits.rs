//! How a program ends, and programs that cannot be executed.

use super::sandbox::{Sandbox, cx, program};
use shanty::error::ErrorKind;
use shanty::runtime::control;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn exit_codes_are_a_shells() {
    let sandbox = Sandbox::new();
    for (line, code) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$; sleep 9", 143)] {
        // As a child of PID 1: the kernel keeps signals from PID 1 itself.
        let line = format!("/bin/sh -c '{line}'; exit $?");
        assert_eq!(sandbox.sh(&line).code, code, "{line}");
    }
}

#[test]
fn programs_that_cannot_be_executed_fail_with_126_and_127_and_leave_nothing() {
    let sandbox = Sandbox::new();
    let layer = sandbox.layer();
    fs::write(layer.join("bin/plain"), "no program").unwrap();
    fs::write(layer.join("bin/script"), "#!/no/interpreter\n").unwrap();
    fs::write(layer.join("bin/garbage"), [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    for (file, mode) in [("plain", 0o644), ("script", 0o755), ("garbage", 0o755)] {
        fs::set_permissions(layer.join("bin").join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    for (name, code, text) in [
        ("nosuch", 127, "executable file not found in $PATH"),
        ("/bin/nosuch", 127, "no such file or directory"),
        ("/bin/script", 127, "interpreter is missing"),
        ("/bin/busybox/x", 127, "not a directory"),
        ("/bin/plain", 126, "permission denied"),
        ("plain", 126, "permission denied"),
        ("/etc", 126, "is a directory"),
        ("/bin/garbage", 126, "exec format error"),
    ] {
        let launch = sandbox.logging(program(&[name]));
        let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
        assert!(error.is(ErrorKind::Exit), "{name}: {error:?}");
        assert_eq!(error.exit_details().unwrap().code, code, "{name}: {error:?}");
        assert!(error.message().contains(text), "{name}: {error:?}");
        sandbox.wait_until_gone(&launch);
        assert!(sandbox.groups(&launch).is_empty() && !launch.run_dir.exists());
    }
}

#[test]
fn programs_are_looked_up_in_the_containers_path() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.layer().join("own")).unwrap();
    fs::copy(sandbox.layer().join("bin/busybox"), sandbox.layer().join("own/echo")).unwrap();
    let mut options = program(&["echo", "found"]);
    options.env = vec![("PATH".to_owned(), "/none:/own".to_owned())];
    assert_eq!(sandbox.run(options).stdout, "found\n");
}
