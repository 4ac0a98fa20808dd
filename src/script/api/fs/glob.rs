//! `fs::glob`: the paths that match a pattern.

use crate::error::Result;
use crate::script::binding::{Call, api};
use std::fs;
use std::path::{Path, PathBuf};

/// The paths that match a pattern, sorted: `*` and `?` inside a name, `**` over folders.
///
/// Names that start with a dot match only a pattern that does.
///
/// # Example
/// let dir = fs::temp_dir();
/// fs::mkdir(dir + "/a");
/// fs::write(dir + "/a/x.txt", "");
/// assert_eq(fs::glob(dir + "/**/*.txt"), [dir + "/a/x.txt"]);
#[api(module = "fs")]
pub fn glob(call: &Call, pattern: String) -> Result<Vec<PathBuf>> {
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (PathBuf::new(), pattern.as_str()),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = Vec::new();
    walk(call, &start, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(call: &Call<'_>, folder: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    call.context().check()?;
    let Some((part, rest)) = parts.split_first() else {
        if fs::symlink_metadata(folder).is_ok() {
            found.push(folder.to_owned());
        }
        return Ok(());
    };
    if *part == "**" {
        walk(call, folder, rest, found)?;
        for (path, name, is_folder) in entries(folder) {
            if is_folder && !name.starts_with('.') {
                walk(call, &path, parts, found)?;
            }
        }
        return Ok(());
    }
    if !part.contains(['*', '?']) {
        return walk(call, &folder.join(part), rest, found);
    }
    for (path, name, _) in entries(folder) {
        if matches(part, &name) && (!name.starts_with('.') || part.starts_with('.')) {
            walk(call, &path, rest, found)?;
        }
    }
    Ok(())
}

/// What is in a folder, without following links; nothing in what is no folder or cannot be read.
fn entries(folder: &Path) -> Vec<(PathBuf, String, bool)> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(listed).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            (folder.join(entry.file_name()), entry.file_name().to_string_lossy().into_owned(), is_folder)
        })
        .collect()
}

/// Whether a name matches `*` and `?`. On a mismatch only the last `*` takes one character more, so it stays quadratic.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((star_p, star_n)) = star {
            star = Some((star_p, star_n + 1));
            p = star_p + 1;
            n = star_n + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|char| *char == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_match_inside_a_name() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxayybzz", true),
            ("*a*b*", "xxbyya", false),
            ("ä*", "äö", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
