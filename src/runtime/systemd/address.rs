//! Where a user's bus is.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Says where a session's bus is.
pub const VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A socket to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// In the file system.
    Path(PathBuf),
    /// With a name that is in no file system.
    Abstract(Vec<u8>),
}

impl Address {
    pub fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Path(path) => UnixStream::connect(path),
            Self::Abstract(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "`{}`", path.display()),
            Self::Abstract(name) => write!(f, "`@{}`", String::from_utf8_lossy(name)),
        }
    }
}

/// Those of a user, in the order in which they are tried: what the environment says, and where logins have it.
pub fn of_user(uid: u32) -> Vec<Address> {
    listed(std::env::var_os(VARIABLE).unwrap_or_default().as_bytes(), uid)
}

fn listed(variable: &[u8], uid: u32) -> Vec<Address> {
    let mut all: Vec<Address> = variable.split(|byte| *byte == b';').filter_map(parse).collect();
    let usual = Address::Path(Path::new("/run/user").join(uid.to_string()).join("bus"));
    if !all.contains(&usual) {
        all.push(usual);
    }
    all
}

/// One address of the D-Bus specification ("Server Addresses"); `None` for other transports than Unix sockets.
fn parse(text: &[u8]) -> Option<Address> {
    let options = text.strip_prefix(b"unix:")?;
    options.split(|byte| *byte == b',').find_map(|option| {
        let at = option.iter().position(|byte| *byte == b'=')?;
        let value = unescape(&option[at + 1..])?;
        match &option[..at] {
            b"path" => Some(Address::Path(std::ffi::OsStr::from_bytes(&value).into())),
            b"abstract" => Some(Address::Abstract(value)),
            _ => None,
        }
    })
}

/// `%` and two hexadecimal digits are a byte.
fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            rest = after;
            bytes.extend(hex::decode(digits).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_usual_place_and_other_transports_are_passed_over() {
        let path = |path: &str| Address::Path(path.into());
        let usual = || path("/run/user/7/bus");
        let cases: [(&[u8], Vec<Address>); 6] = [
            (b"", vec![usual()]),
            (b"unix:path=/run/user/7/bus", vec![usual()]),
            (b"unix:path=/tmp/a%20b%2c,guid=00", vec![path("/tmp/a b,"), usual()]),
            (b"tcp:host=x,port=1;unix:guid=1,abstract=/tmp/x", vec![Address::Abstract(b"/tmp/x".to_vec()), usual()]),
            (b"unix:path=/a%4", vec![usual()]),
            (b"autolaunch:", vec![usual()]),
        ];
        for (variable, expected) in cases {
            assert_eq!(listed(variable, 7), expected, "{}", String::from_utf8_lossy(variable));
        }
    }
}
