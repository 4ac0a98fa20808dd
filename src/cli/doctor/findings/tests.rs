use super::*;
use std::path::PathBuf;

/// A machine where everything is as it should be, for somebody who is not root.
fn healthy() -> Facts {
    let ranges = vec![("ann".to_owned(), 100_000, 65_536)];
    let controllers = || ["cpu", "io", "memory", "pids"].map(str::to_owned).to_vec();
    Facts {
        person: Some(Person { uid: 1000, gid: 1000, name: Some("ann".to_owned()) }),
        kernel: "6.1.0-13-amd64".to_owned(),
        overlay: true,
        max_user_namespaces: Some(28_633),
        unprivileged_userns_clone: None,
        apparmor_restricts: Some(0),
        user_namespace: Ok(()),
        newuidmap: Tool::Usable,
        newgidmap: Tool::Usable,
        subuids: ranges.clone(),
        subgids: ranges,
        pasta: true,
        tun: Ok(()),
        first_port: Some(80),
        ping_groups: Some((0, 2_147_483_647)),
        netfilter: true,
        cgroup1: false,
        cgroup_controllers: Some(controllers()),
        groups: Ok(Groups::Systemd(controllers(), true)),
        systemd: true,
        root: PathBuf::from("/home/ann/.local/share/shanty"),
        free_space: Some(50 << 30),
        most_files: 1 << 20,
    }
}

#[test]
fn a_healthy_machine_is_ok_for_a_user_and_for_root() {
    for facts in [healthy(), Facts { person: None, groups: Err("none".into()), ..healthy() }] {
        let wrong: Vec<_> = examine(&facts).into_iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(wrong, []);
    }
}

#[test]
fn root_needs_nothing_of_what_users_need() {
    let facts = Facts {
        person: None,
        max_user_namespaces: Some(0),
        user_namespace: Err("no".to_owned()),
        newuidmap: Tool::Missing,
        subuids: Vec::new(),
        tun: Err("no".to_owned()),
        groups: Err("none".to_owned()),
        ..healthy()
    };
    assert!(examine(&facts).iter().all(|finding| finding.level == Level::Ok));
}

#[test]
fn each_fault_is_found_and_says_what_mends_it() {
    type Fault = fn(&mut Facts);
    let cases: [(Fault, &str, Level, &str); 24] = [
        (|f| f.kernel = "5.10.0".into(), "kernel", Level::Problem, ""),
        (|f| f.overlay = false, "overlayfs", Level::Problem, "modprobe overlay"),
        (|f| f.max_user_namespaces = Some(0), "user namespaces", Level::Problem, "max_user_namespaces=28633"),
        (|f| f.unprivileged_userns_clone = Some(0), "user namespaces", Level::Problem, "userns_clone=1"),
        (|f| f.apparmor_restricts = Some(1), "user namespaces", Level::Problem, "unprivileged_userns=0"),
        (|f| f.user_namespace = Err("denied".into()), "user namespaces", Level::Problem, ""),
        (|f| f.subuids.clear(), "ids", Level::Note, "--add-subuids 165536-231071 --add-subgids 165536-231071 ann"),
        (|f| f.subgids[0].2 = 1000, "ids", Level::Note, "--add-subuids 165536-231071"),
        (|f| f.subuids[0].0 = "bob".into(), "ids", Level::Note, "usermod"),
        (|f| f.newuidmap = Tool::Missing, "ids", Level::Note, "install uidmap"),
        (|f| f.newgidmap = Tool::WithoutRights("/bin/newgidmap".into()), "ids", Level::Problem, "u+s /bin/newgidmap"),
        (|f| f.pasta = false, "way out", Level::Note, "install passt"),
        (|f| f.tun = Err("denied".into()), "way out", Level::Note, ""),
        (|f| f.first_port = Some(1024), "ports", Level::Note, "port_start=80"),
        (|f| f.ping_groups = Some((1, 0)), "ping", Level::Note, "ping_group_range"),
        (|f| f.netfilter = false, "nf_tables", Level::Note, "modprobe nf_tables"),
        (|f| f.groups = Err("no bus".into()), "control groups", Level::Note, "install dbus-user-session"),
        (|f| f.groups = Err("no bus".into()), "control groups", Level::Note, "loginctl enable-linger ann"),
        (
            |f| f.groups = Ok(Groups::Systemd(vec!["pids".into()], true)),
            "control groups",
            Level::Note,
            "Delegate=cpu cpuset io memory pids",
        ),
        (
            |f| f.groups = Ok(Groups::Systemd(["cpu", "memory", "pids"].map(str::to_owned).to_vec(), false)),
            "control groups",
            Level::Note,
            "loginctl enable-linger ann",
        ),
        (|f| f.free_space = Some(1 << 30), "disk space", Level::Note, "shanty cleanup"),
        (|f| f.free_space = Some(1 << 20), "disk space", Level::Problem, "shanty cleanup"),
        (|f| f.free_space = None, "disk space", Level::Note, ""),
        (|f| f.most_files = 1024, "open files", Level::Note, "ann hard nofile"),
    ];
    for (fault, check, level, command) in cases {
        let mut facts = healthy();
        fault(&mut facts);
        let wrong: Vec<_> = examine(&facts).into_iter().filter(|finding| finding.level != Level::Ok).collect();
        let [finding] = wrong.as_slice() else { panic!("{check}: {wrong:?}") };
        assert_eq!((finding.check, finding.level), (check, level), "{finding:?}");
        assert_eq!(finding.command.is_some(), !command.is_empty(), "{finding:?}");
        assert!(finding.command.as_deref().unwrap_or_default().contains(command), "{finding:?}");
    }
}

#[test]
fn control_groups_of_version_1_and_machines_without_systemd() {
    let of = |facts: &Facts| examine(facts).into_iter().find(|finding| finding.check == "control groups").unwrap();
    let old = Facts { cgroup1: true, cgroup_controllers: None, groups: Err("none".into()), ..healthy() };
    assert!(of(&old).text.contains("version 1") && of(&old).level == Level::Note);
    assert_eq!(of(&Facts { person: None, ..old.clone() }).text, "version 1");
    let none = Facts { person: None, cgroup1: false, ..old };
    assert_eq!(of(&none).level, Level::Problem);
    let by_hand = Facts { systemd: false, groups: Err("none".into()), ..healthy() };
    assert!(of(&by_hand).command.unwrap().contains("chown -R 1000"));
}
