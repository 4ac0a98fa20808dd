//! Images that try to lead the runtime elsewhere.

use super::sandbox::{Sandbox, cx, program, shell};
use shanty::error::ErrorKind;
use shanty::runtime::control;
use shanty::runtime::spec::{self, Options};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn files_of_the_host_are_mounted_where_the_image_means_them() {
    let sandbox = Sandbox::new();
    let host = sandbox.root().join("hosts");
    fs::write(&host, "10.0.0.1 here\n").unwrap();
    // A dangling link that leads up and out.
    symlink("../../../../../../run/nowhere/hosts", sandbox.layer().join("etc/hosts")).unwrap();
    let mounts = vec![spec::bind(&host, Path::new("/etc/hosts"), true, None)];
    let options =
        Options { mounts, ..shell("cat /run/nowhere/hosts; echo x 2>/dev/null > /etc/hosts || echo refused") };
    assert_eq!(sandbox.run(options).stdout, "10.0.0.1 here\nrefused\n");
    assert!(!Path::new("/run/nowhere").exists());
    assert_eq!(fs::read_to_string(&host).unwrap(), "10.0.0.1 here\n");
}

#[test]
fn a_link_in_place_of_proc_or_sys_is_refused() {
    for name in ["proc", "sys"] {
        let sandbox = Sandbox::new();
        fs::remove_dir(sandbox.layer().join(name)).unwrap();
        symlink("tmp", sandbox.layer().join(name)).unwrap();
        let launch = sandbox.logging(program(&["true"]));
        let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
        assert!(error.is(ErrorKind::Invalid) && error.message().contains(name), "{error:?}");
        sandbox.wait_until_gone(&launch);
    }
}

#[test]
fn a_link_in_place_of_dev_stays_inside() {
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.layer().join("dev")).unwrap();
    symlink("/../../../../../../../../tmp", sandbox.layer().join("dev")).unwrap();
    // The image's own /tmp is what the link means; the host's is not touched.
    assert_eq!(sandbox.sh("stat -c %t:%T /tmp/null /proc/keys").stdout, "1:3\n1:3\n");
    assert!(!Path::new("/tmp/null").exists());
}

#[test]
fn what_a_bind_hides_under_sys_is_found_out() {
    let sandbox = Sandbox::new();
    let trap = sandbox.root().join("trap");
    fs::create_dir_all(trap.join("firmware")).unwrap();
    let mounts = vec![spec::bind(&trap, Path::new("/sys"), false, None)];
    let launch = sandbox.logging(Options { mounts, ..program(&["true"]) });
    let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
    assert!(error.message().contains("/sys/firmware"), "{error:?}");
    sandbox.wait_until_gone(&launch);
}

#[test]
fn our_own_binary_cannot_be_written_from_inside() {
    let sandbox = Sandbox::new();
    // What a hostile image does: make the runtime execute itself, and open it for writing.
    symlink("/proc/self/exe", sandbox.layer().join("bin/self")).unwrap();
    let before = fs::read(env!("CARGO_BIN_EXE_shanty")).unwrap();
    let launch = sandbox.logging(program(&["/bin/self", "--version"]));
    if let Ok(mut started) = control::launch(&cx(), &launch, Vec::new(), Vec::new()) {
        started.wait(&cx()).unwrap();
    }
    sandbox.wait_until_gone(&launch);
    // The monitor's own view, which is also that of a process on its way in: a read-only file system.
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let monitor = shanty::runtime::state::monitor_pid(&launch.container_dir).unwrap().unwrap();
    let opened = fs::OpenOptions::new().write(true).open(format!("/proc/{monitor}/exe"));
    let errno = opened.unwrap_err().raw_os_error();
    assert!(matches!(errno, Some(libc::EROFS | libc::ETXTBSY | libc::EPERM)), "{errno:?}");
    sandbox.connect(&launch).signal(&cx(), libc::SIGKILL).unwrap();
    started.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
    let opened = fs::OpenOptions::new().append(true).open(env!("CARGO_BIN_EXE_shanty"));
    drop(opened);
    assert!(before == fs::read(env!("CARGO_BIN_EXE_shanty")).unwrap());
}
