//! Devices of the host in a container: `/dev/fuse`, `/dev/sda:/dev/xvda:rw`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A device, or a folder of devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Path on the host.
    pub source: PathBuf,
    /// Path in the container.
    pub target: PathBuf,
    /// What may be done: letters of `r` (read), `w` (write), `m` (make nodes).
    pub access: String,
}

impl DeviceSpec {
    /// A device; both paths and the access are checked.
    pub fn new(source: &str, target: &str, access: &str) -> Result<Self> {
        for path in [source, target] {
            if !Path::new(path).is_absolute() || path.contains('\0') {
                return Err(Error::invalid(format!("`{path}` is not the absolute path of a device"))
                    .hint("write it as `/dev/fuse` or `/dev/sda:/dev/xvda:rwm`"));
            }
        }
        if !is_access(access) {
            return Err(Error::invalid(format!("`{access}` is not an access to a device"))
                .hint("it is made of `r` (read), `w` (write) and `m` (make nodes): `rwm`"));
        }
        Ok(Self { source: source.into(), target: target.into(), access: access.to_owned() })
    }
}

fn is_access(text: &str) -> bool {
    let once = |letter: char| text.chars().filter(|it| *it == letter).count() < 2;
    !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter) && once(letter))
}

/// Docker's short form: `SOURCE[:TARGET][:ACCESS]`.
impl FromStr for DeviceSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split(':').collect::<Vec<_>>()[..] {
            [source] => Self::new(source, source, "rwm"),
            [source, second] if is_access(second) => Self::new(source, source, second),
            [source, target] => Self::new(source, target, "rwm"),
            [source, target, access] => Self::new(source, target, access),
            _ => Err(Error::invalid(format!("`{text}` is not a device"))
                .hint("write it as `/dev/fuse` or `/dev/sda:/dev/xvda:rwm`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_dockers() {
        for (text, expected) in [
            ("/dev/fuse", ("/dev/fuse", "/dev/fuse", "rwm")),
            ("/dev/sda:/dev/xvda", ("/dev/sda", "/dev/xvda", "rwm")),
            ("/dev/sda:r", ("/dev/sda", "/dev/sda", "r")),
            ("/dev/sda:/dev/xvda:mr", ("/dev/sda", "/dev/xvda", "mr")),
        ] {
            let device: DeviceSpec = text.parse().unwrap();
            let (source, target, access) = expected;
            assert_eq!(device, DeviceSpec { source: source.into(), target: target.into(), access: access.into() });
        }
        for text in ["", "fuse", "/dev/fuse:x", "/dev/a:/dev/b:rr", "/dev/a:/dev/b:rwx", "/a:/b:r:w", "/dev/a:b:r"] {
            assert!(text.parse::<DeviceSpec>().unwrap_err().hint_text().is_some(), "{text}");
        }
    }
}
