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
        if looks_octal(mode) {
            let error = Error::invalid(format!("`{mode}` is a decimal number, which is hardly meant as a file mode"));
            return Err(error.hint(format!("write it in octal, as `0o{mode}`, or as a text")).into());
        }
        let valid = u32::try_from(mode).ok().filter(|mode| *mode <= 0o7777).map(FileMode);
        return valid.ok_or_else(|| {
            Error::invalid(format!("`{mode}` is not a file mode")).hint("write it in octal, as `0o755`").into()
        });
    }
    Ok(FileMode(parse_mode(&text_or_refuse(&value, "mode such as 0o755 or \"755\"")?)?))
}

/// Whether the decimal digits read as a mode: 755, 4755. In octal those are odd ones, such as `0o1363`, which must be
/// written as text.
fn looks_octal(mode: i64) -> bool {
    let digits = mode.to_string();
    mode != 0o7777 && (3..=4).contains(&digits.len()) && parse_mode(&digits).is_ok() && !is_usual(mode)
}

/// Whether its owner can read it, its group can do no more than the owner and nothing blindly, and others no more than
/// the group.
fn is_usual(mode: i64) -> bool {
    let of = |shift: u32| mode >> shift & 7;
    let (owner, group, others) = (of(6), of(3), of(0));
    owner & 4 != 0 && group & !owner == 0 && others & !group == 0 && group & 6 != 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_mode_is_refused_when_it_reads_as_an_octal_one() {
        for mode in [755, 644, 600, 400, 700, 777, 444, 4755, 1777] {
            assert!(read(mode.into()).is_err(), "{mode}");
        }
        for mode in [0o755, 0o644, 0o600, 0o400, 0o700, 0o777, 0o4755, 0o1777, 0o755 & 0o700, 0o444, 0o555, 0o640] {
            assert_eq!(read(mode.into()).unwrap(), FileMode(mode as u32), "{mode:o}");
        }
    }

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
