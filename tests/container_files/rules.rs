//! What a copy does to a place, by the rules of `docker cp`: `cp.tsv` is what Docker 20.10 did, for both directions.

use super::idle;
use crate::support::busybox::with_busybox;
use crate::support::require;
use std::collections::BTreeMap;

const SETUP: &str = r"rm -rf $1; mkdir -p $1/s/d $1/t/dir; cd $1/s; echo f > f; echo x > d/x; ln -s f lf; ln -s d ld; ln -s nowhere dl; cd ../t; echo old > file; ln -s dir ldir; ln -s file lfile; ln -s new lno
";
const LIST: &str = r#"cd $1/t; find . | sort | while read p; do if [ -L $p ]; then echo "$p->$(readlink $p)"; elif [ -d $p ]; then echo $p/; else echo "$p=$(cat $p)"; fi; done
"#;

/// Source, target, and what came of it: the new paths, and `error`.
fn cases() -> Vec<(&'static str, &'static str, &'static str)> {
    include_str!("cp.tsv")
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap_or(""))
        })
        .collect()
}

/// The lines of `after` that `before` has not, and what vanished without another thing taking its name.
fn outcome(error: bool, before: &str, after: &str) -> String {
    let lines = |text: &str| text.lines().map(|line| line[2..].to_owned()).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).cloned().collect();
    let name = |line: &str| line.split('=').next().unwrap().to_owned();
    let gone = before
        .iter()
        .filter(|line| !after.contains(line) && !new.iter().any(|new| name(new) == name(line)))
        .map(|line| format!("-{line}"));
    let error = error.then(|| "error".to_owned());
    error.into_iter().chain(new.clone()).chain(gone).collect::<Vec<_>>().join(" ")
}

#[test]
fn copies_do_what_docker_does_both_ways() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    shanty.write("setup.sh", SETUP);
    shanty.write("list.sh", LIST);
    let cases = cases();
    assert_eq!(cases.len(), 132);
    let rows: BTreeMap<usize, [&str; 2]> =
        cases.iter().enumerate().map(|(index, (source, target, _))| (index, [*source, *target])).collect();
    shanty.write("cases.json", &serde_json::to_string(&rows.values().collect::<Vec<_>>()).unwrap());
    let script = |copy: &str, side: &str| {
        format!(
            r#"let c = container("box");
               c.copy_to(["setup.sh", "list.sh"], "/tmp");
               let inside = |script| c.exec(["sh", "/tmp/" + script, "/tmp/c"]).stdout;
               let outside = |script| host(["sh", script, "h"]).stdout;
               let out = [];
               inside.call("setup.sh"); outside.call("setup.sh");
               let before = {side}.call("list.sh");
               for row in json::parse(fs::read("cases.json")) {{
                   let failed = false;
                   try {{ {copy} }} catch (e) {{ failed = true; if e.kind == "script" || e.kind == "io" {{ throw e }} }}
                   out.push([failed, before, {side}.call("list.sh")]);
                   {side}.call("setup.sh");
               }}
               out"#
        )
    };
    let to = script(r#"c.copy_to("h/s/" + row[0], "/tmp/c/t/" + row[1])"#, "inside");
    let from = script(r#"c.copy_from("/tmp/c/s/" + row[0], "h/t/" + row[1])"#, "outside");
    for (direction, script) in [("to", to), ("from", from)] {
        let results = shanty.json(&script);
        let mut wrong = Vec::new();
        for ((source, target, expected), result) in cases.iter().zip(results.as_array().unwrap()) {
            let text = |index: usize| result[index].as_str().unwrap();
            let got = outcome(result[0] == true, text(1), text(2));
            if got != *expected {
                wrong.push(format!("copy_{direction} {source} {target}: `{got}` instead of `{expected}`"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
