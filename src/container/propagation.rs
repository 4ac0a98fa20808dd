//! Whether the host's mounts can spread into a container and back, as is asked for.

use crate::error::{Error, IoContext, Result};
use std::path::Path;

/// Checks that the mount which holds `source` spreads its events as `wanted` needs it: Docker's rule.
///
/// Fails with `invalid` when it does not.
pub fn check(source: &Path, wanted: &str) -> Result<()> {
    let (needs, word) = match wanted {
        "shared" | "rshared" => (&["shared:"][..], "shared"),
        "slave" | "rslave" => (&["shared:", "master:"][..], "shared or slave"),
        _ => return Ok(()),
    };
    let doing = || format!("cannot look at the mount of `{}`", source.display());
    let source = source.canonicalize().doing(doing)?;
    let table = std::fs::read_to_string("/proc/self/mountinfo").doing(doing)?;
    let (mount_point, tags) = holding(&table, &source);
    if needs.iter().any(|tag| tags.contains(tag)) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{}` is below the mount `{mount_point}`, which is not {word}: `{wanted}` would have no effect",
        source.display()
    ))
    .hint(format!("leave `{wanted}` out, or let it spread: `mount --make-rshared {mount_point}`")))
}

/// The innermost mount that holds a path, of those the last one, and its optional fields (proc_pid_mountinfo(5)).
fn holding<'a>(table: &'a str, path: &Path) -> (&'a str, String) {
    let mut best = ("/", String::new());
    for line in table.lines() {
        let mut fields = line.split(' ').skip(4);
        let Some(mount_point) = fields.next() else { continue };
        let tags: Vec<&str> = fields.skip(1).take_while(|field| *field != "-").collect();
        if path.starts_with(unescape(mount_point)) && mount_point.len() >= best.0.len() {
            best = (mount_point, tags.join(" "));
        }
    }
    best
}

/// Spaces and the like are in octal.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let table = "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n\
                     2 1 0:5 / /a\\040b rw,nosuid master:7 propagate_from:2 - tmpfs t rw\n\
                     3 1 0:6 / /c rw - tmpfs t rw\n";
        for (path, mount_point, tags) in [
            ("/x", "/", "shared:1"),
            ("/a b/x", "/a\\040b", "master:7 propagate_from:2"),
            ("/c", "/c", ""),
            ("/cc", "/", "shared:1"),
        ] {
            assert_eq!(holding(table, Path::new(path)), (mount_point, tags.to_owned()), "{path}");
        }
    }
}
