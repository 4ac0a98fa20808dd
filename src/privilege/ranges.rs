//! The ids that a user may use beside its own: `/etc/subuid` and `/etc/subgid` (subuid(5)).

use nix::unistd::{Uid, User};
use std::fs;

/// A range of ids of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubordinateRange {
    /// The first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// What `/etc/subuid` or `/etc/subgid` gives a user; empty when it gives nothing.
pub fn of_user(file: &str, uid: u32) -> Vec<SubordinateRange> {
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    parse(&fs::read_to_string(file).unwrap_or_default(), name.as_deref(), uid)
}

fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<SubordinateRange> {
    let number = uid.to_string();
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let whose = fields.next()?;
        if whose != number && Some(whose) != name {
            return None;
        }
        let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (count > 0).then_some(SubordinateRange { start, count })
    };
    text.lines().filter_map(range).collect()
}

/// Who the root of a user namespace is outside, and how many ids the namespace has (user_namespaces(7)).
pub fn root_of_map(map: &str) -> Option<(u32, u32)> {
    let mut root = None;
    let mut all = 0u32;
    for line in map.lines() {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (inside, outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        all = all.saturating_add(count);
        if inside == 0 {
            root = Some(outside);
        }
    }
    root.map(|root| (root, all))
}

/// Whether this user of a user namespace is the root of the one around it.
pub fn is_root_outside(map: &str, uid: u32) -> bool {
    let mut lines = map.lines().map(|line| line.split_whitespace().map(str::parse::<u32>).collect::<Vec<_>>());
    lines.any(|numbers| uid != 0 && numbers == [Ok(uid), Ok(0), Ok(1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "# comment\nann:100000:65536\nbob:200000:65536\n1000:300000:10\nann:bad:1\nann:5:0\n";
        let ranges = parse(text, Some("ann"), 1000);
        let range = |start, count| SubordinateRange { start, count };
        assert_eq!(ranges, [range(100_000, 65_536), range(300_000, 10)]);
        assert_eq!(parse(text, None, 7), []);
    }

    #[test]
    fn the_root_of_a_map_and_its_size() {
        assert_eq!(root_of_map("         0          0 4294967295\n"), Some((0, u32::MAX)));
        assert_eq!(root_of_map("0 1000 1\n1 100000 65536\n"), Some((1000, 65_537)));
        assert_eq!(root_of_map("0 1000 1\n"), Some((1000, 1)));
        assert_eq!(root_of_map("1000 1000 1\n"), None);
        assert_eq!(root_of_map("nonsense"), None);
        assert!(is_root_outside("      1000          0          1\n", 1000));
        assert!(!is_root_outside("0 0 4294967295\n", 1000) && !is_root_outside("1000 1000 1\n", 1000));
    }
}
