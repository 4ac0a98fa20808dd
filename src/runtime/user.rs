//! Users and groups by the image's own `/etc/passwd` and `/etc/group`.

use super::rootfs::Root;
use crate::error::{Error, Result};
use crate::model::UserSpec;
use std::path::Path;

/// Larger files are not read: an image could fill our memory.
const LARGEST_FILE: u64 = 4 << 20;

/// Whom a program runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory, where the user has one.
    pub home: Option<String>,
}

/// Looks up a user (`user`, `user:group`, with names or numbers) and additional groups in a root.
///
/// As Docker does: a number need not be in the files; a name must be; with a group in the text the
/// supplementary groups of the files do not count; the own group is one of them. Fails with `not_found`.
pub fn resolve(root: &Root, user: &str, group_add: &[String]) -> Result<Identity> {
    let spec: UserSpec = user.parse()?;
    let read = |path: &str| root.read(Path::new(path), LARGEST_FILE).map(Option::unwrap_or_default);
    let passwd = read("/etc/passwd")?;
    let group = read("/etc/group")?;
    look_up(&spec, group_add, &String::from_utf8_lossy(&passwd), &String::from_utf8_lossy(&group))
}

fn look_up(spec: &UserSpec, group_add: &[String], passwd: &str, group: &str) -> Result<Identity> {
    let name = if spec.user.is_empty() { "0" } else { &spec.user };
    // A name first: Docker and Podman take a user whose name is a number before that number.
    let entry = passwd
        .lines()
        .filter_map(PasswdEntry::parse)
        .find(|entry| entry.name == name)
        .or_else(|| passwd.lines().filter_map(PasswdEntry::parse).find(|entry| name.parse() == Ok(entry.uid)));
    let mut identity = match (&entry, name.parse::<u32>()) {
        (Some(entry), _) => {
            Identity { uid: entry.uid, gid: entry.gid, home: Some(entry.home.to_owned()), groups: Vec::new() }
        }
        (None, Ok(uid)) => Identity { uid, ..Identity::default() },
        (None, Err(_)) => {
            return Err(Error::not_found(format!("the image has no user `{name}` in /etc/passwd"))
                .hint("give the user as a number, such as `1000`"));
        }
    };
    if let Some(group_name) = &spec.group {
        identity.gid = group_id(group, group_name)?;
    } else if let Some(entry) = &entry {
        let member = |line: &&str| GroupEntry::parse(line).is_some_and(|group| group.has_member(entry.name));
        identity.groups.extend(group.lines().filter(member).filter_map(GroupEntry::parse).map(|group| group.gid));
    }
    for added in group_add {
        identity.groups.push(group_id(group, added)?);
    }
    // The own one as well: a file of that group must not be another's through a supplementary group alone
    // (CVE-2022-36109).
    identity.groups.push(identity.gid);
    identity.groups.sort_unstable();
    identity.groups.dedup();
    Ok(identity)
}

fn group_id(group: &str, name: &str) -> Result<u32> {
    let entry = group.lines().filter_map(GroupEntry::parse).find(|entry| entry.name == name);
    match (entry, name.parse()) {
        (Some(entry), _) => Ok(entry.gid),
        (None, Ok(gid)) => Ok(gid),
        (None, Err(_)) => Err(Error::not_found(format!("the image has no group `{name}` in /etc/group"))
            .hint("give the group as a number, such as `1000`")),
    }
}

/// A line of passwd(5).
struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> PasswdEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { name, uid, gid, home: fields.nth(1).unwrap_or("") })
    }
}

/// A line of group(5).
struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> GroupEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(Self { name, gid: fields.next()?.parse().ok()?, members: fields.next().unwrap_or("") })
    }

    fn has_member(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nnode:x:1000:1001::/home/node:/bin/sh\n42:x:7:7::/:\n";
    const GROUP: &str = "root:x:0:\nnode:x:1001:\nwheel:x:10:root,node\nvideo:x:44:node\n";

    fn of(user: &str, add: &[&str]) -> Result<Identity> {
        let add: Vec<String> = add.iter().map(ToString::to_string).collect();
        look_up(&user.parse().unwrap(), &add, PASSWD, GROUP)
    }

    #[test]
    fn names_and_numbers_are_looked_up_as_docker_does() {
        for (user, add, uid, gid, groups, home) in [
            ("", &[][..], 0, 0, &[0, 10][..], Some("/root")),
            ("node", &[], 1000, 1001, &[10, 44, 1001], Some("/home/node")),
            ("1000", &[], 1000, 1001, &[10, 44, 1001], Some("/home/node")),
            ("node:wheel", &[], 1000, 10, &[10], Some("/home/node")),
            ("node:5", &["wheel", "6"], 1000, 5, &[5, 6, 10], Some("/home/node")),
            ("4242", &[], 4242, 0, &[0], None),
            ("42", &[], 7, 7, &[7], Some("/")),
        ] {
            let expected = Identity { uid, gid, groups: groups.to_vec(), home: home.map(str::to_owned) };
            assert_eq!(of(user, add).unwrap(), expected, "{user}");
        }
    }

    #[test]
    fn unknown_names_are_not_found() {
        for (user, add) in [("nobody", &[][..]), ("node:nobody", &[]), ("node", &["nobody"])] {
            assert!(of(user, add).unwrap_err().is(ErrorKind::NotFound), "{user}");
        }
    }
}
