//! `init: true`.

use crate::support::busybox::with_busybox;
use crate::support::require;

#[test]
fn signals_reach_the_program_and_its_exit_code_comes_back() {
    let shanty = require!(with_busybox());
    let code = r#"
        fn run(line) { image("busybox:1").run(["sh", "-c", line], #{ init: true, network: "none" }) }
        let c = run("trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done");
        c.wait_for(#{ log: "ready" });
        c.stop(#{ timeout: 30 });
        print(c.exit_code);
        let c = run("trap 'echo hup; exit 3' HUP; echo ready; while true; do sleep 0.05; done");
        c.wait_for(#{ log: "ready" });
        c.kill("HUP");
        print(c.wait());
        print(run("kill -SEGV $$").wait());
        print(run("exit 42").wait());
        let r = try_run(); print(r);
        fn try_run() { try { image("busybox:1").run("/no-such-program", #{ init: true, network: "none" }); return 0; } catch (e) { return e.code; } }
    "#;
    shanty.eval(code).prints("9\n3\n139\n42\n127\n");
}

#[test]
fn orphans_are_reaped_and_nothing_of_ours_can_be_reached() {
    let shanty = require!(with_busybox());
    let code = r#"
        let c = image("busybox:1").run(["sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.01 &) ; done; echo started; sleep 1000"],
                                       #{ init: true, network: "none", cap_add: "SYS_PTRACE" });
        c.wait_for(#{ log: "started" });
        c.exec(["sh", "-c", "while ps -o args | grep -q '[s]leep 0.01'; do sleep 0.05; done; ps -o stat | grep -c Z; true"]);
        print(c.exec(["sh", "-c", "ps -o stat | grep -c Z"], #{ check: false }).text);
        // It has no descriptors but the standard ones.
        print(c.exec(["sh", "-c", "ls /proc/1/fd | tr '\n' ' '"]).text);
        // The binary that it runs cannot be written to.
        print(c.exec(["sh", "-c", "echo x 2>/dev/null > /proc/1/exe || echo refused"]).text);
        c.remove(#{ force: true })"#;
    shanty.eval(code).prints("0\n0 1 2\nrefused\n");
}
