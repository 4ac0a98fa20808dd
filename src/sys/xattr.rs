//! Extended attributes of a name in an open folder, without following a link.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Sets an attribute of `name` in `folder`; an empty name is the folder itself.
///
/// `setxattrat` came with Linux 6.13; before, the way to a name in an open folder is through `/proc/self/fd`.
pub fn set_at(folder: BorrowedFd<'_>, name: &CStr, attribute: &CStr, value: &[u8]) -> io::Result<()> {
    set(&path_at(folder, name)?, name.is_empty(), attribute, value)
}

/// Sets an attribute of what a descriptor refers to, of whatever kind.
pub fn set_open(fd: BorrowedFd<'_>, attribute: &CStr, value: &[u8]) -> io::Result<()> {
    set(&path_at(fd, c"")?, true, attribute, value)
}

/// All attributes of a path and their values; the last component is not followed.
pub fn list(path: &Path) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a zero byte; the buffer pointer and length belong together.
    let names = sized(|buffer, size| unsafe { libc::llistxattr(path.as_ptr(), buffer.cast(), size) })?;
    // SAFETY: both strings end with a zero byte; the buffer pointer and length belong together.
    values(&names, |name, buffer, size| unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), buffer.cast(), size) })
}

/// All attributes of what a descriptor refers to, of whatever kind.
pub fn list_open(fd: BorrowedFd<'_>) -> io::Result<Vec<(CString, Vec<u8>)>> {
    // The descriptor's link is followed to exactly its file: `flistxattr` refuses those that are only a place.
    let path = path_at(fd, c"")?;
    // SAFETY: the path ends with a zero byte; the buffer pointer and length belong together.
    let names = sized(|buffer, size| unsafe { libc::listxattr(path.as_ptr(), buffer.cast(), size) })?;
    // SAFETY: both strings end with a zero byte; the buffer pointer and length belong together.
    values(&names, |name, buffer, size| unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer.cast(), size) })
}

/// The values of names that each end with a zero byte.
fn values(names: &[u8], get: impl Fn(&CStr, *mut u8, usize) -> isize) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let mut attributes = Vec::new();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?.to_owned();
        match sized(|buffer, size| get(&name, buffer, size)) {
            Ok(value) => attributes.push((name, value)),
            // Removed meanwhile; or the capability of a file for the root of another user namespace, which is none here.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOVERFLOW)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(attributes)
}

/// Whether it means that the file system has no such attributes.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

fn path_at(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}", folder.as_raw_fd()).into_bytes();
    if !name.is_empty() {
        path.push(b'/');
        path.extend_from_slice(name.to_bytes());
    }
    Ok(CString::new(path)?)
}

fn set(path: &CStr, follow: bool, attribute: &CStr, value: &[u8]) -> io::Result<()> {
    let (path, attribute, data, size) = (path.as_ptr(), attribute.as_ptr(), value.as_ptr().cast(), value.len());
    // SAFETY: both strings end with a zero byte, and `data` has `size` bytes.
    let result = unsafe {
        if follow {
            // The folder itself: `/proc/self/fd/N` is a link that has to be followed.
            libc::setxattr(path, attribute, data, size, 0)
        } else {
            libc::lsetxattr(path, attribute, data, size, 0)
        }
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for the size, then for the bytes, again when they grew in between.
fn sized(call: impl Fn(*mut u8, usize) -> isize) -> io::Result<Vec<u8>> {
    loop {
        let size = call(std::ptr::null_mut(), 0);
        if size < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut buffer = vec![0u8; size as usize];
        let got = call(buffer.as_mut_ptr(), buffer.len());
        if got >= 0 {
            buffer.truncate(got as usize);
            return Ok(buffer);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn attributes_set_on_a_name_and_on_the_folder_are_listed() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        File::create(dir.path().join("file")).unwrap();
        let folder = File::open(dir.path()).unwrap();
        set_at(folder.as_fd(), c"file", c"trusted.one", b"1").unwrap();
        set_at(folder.as_fd(), c"", c"trusted.two", b"").unwrap();
        assert_eq!(list(&dir.path().join("file")).unwrap(), [(c"trusted.one".to_owned(), b"1".to_vec())]);
        assert_eq!(list(dir.path()).unwrap(), [(c"trusted.two".to_owned(), Vec::new())]);
    }
}
