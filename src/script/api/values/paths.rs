//! Paths of the host, and file modes.

use super::{script_value, text_or_refuse};
use crate::error::Error;
use crate::model::parse_mode;
use crate::script::binding::Refusal;
use rhai::Dynamic;
use std::path::{Path, PathBuf};

/// A path of the host made absolute: `~` is the home folder, a relative one is below `base`.
pub fn absolute(base: &Path, path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let expanded = match path.strip_prefix('~') {
        Some("") => home(),
        Some(rest) => rest.strip_prefix('/').and_then(|rest| Some(home()?.join(rest))),
        None => None,
    };
    let joined = base.join(expanded.unwrap_or_else(|| PathBuf::from(path)));
    // `.` is dropped so that the path reads well where it is shown; `..` stays, a link may stand before it.
    joined.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

/// The mode of a file: `0o755` or `"755"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FileMode(pub u32);

script_value!(FileMode, "mode such as 0o755 or \"755\"", |value| value.is_int() || value.is_string(), read);

impl FileMode {
    /// A mode that may be left out.
    pub fn optional(value: Dynamic) -> Result<Option<u32>, Refusal> {
        if value.is_unit() { Ok(None) } else { read(value).map(|Self(mode)| Some(mode)) }
    }
}

fn read(value: Dynamic) -> Result<FileMode, Refusal> {
    if let Ok(mode) = value.as_int() {
        let valid = u32::try_from(mode).ok().filter(|mode| *mode <= 0o7777).map(FileMode);
        return valid.ok_or_else(|| {
            Error::invalid(format!("`{mode}` is not a file mode")).hint("write it in octal, as `0o755`").into()
        });
    }
    Ok(FileMode(parse_mode(&text_or_refuse(&value, "mode such as 0o755 or \"755\"")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_base() {
        for (path, expected) in
            [("/a", "/a"), ("./a", "/base/a"), (".", "/base"), ("../a", "/base/../a"), ("a/b", "/base/a/b")]
        {
            assert_eq!(absolute(Path::new("/base"), path), Path::new(expected), "{path}");
        }
        let home = std::env::var("HOME").expect("tests have a home folder");
        assert_eq!(absolute(Path::new("/base"), "~/x"), Path::new(&home).join("x"));
    }
}
