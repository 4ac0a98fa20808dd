//! The list of what `tests/run --as` leaves out.

use std::process::Command;

#[test]
fn what_is_left_out_is_there_and_has_a_reason() {
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(tests.len() > 100, "{list}");
    for line in include_str!("differences.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (who, name) = (words.next().unwrap(), words.next().unwrap());
        assert!(["both", "ranges", "single"].contains(&who), "{line}");
        let is_there = |test: &&str| if name.ends_with("::") { test.starts_with(name) } else { *test == name };
        assert!(tests.iter().any(is_there), "no test has this name: {line}");
        assert!(words.next().is_some(), "no reason: {line}");
    }
}
