//! Where the dynamic loader finds a library: ld.so(8), without executing anything.

use super::elf::Elf;
use crate::error::{Error, IoContext, Result};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where libraries are on this machine.
pub struct Libraries {
    /// From `ld.so.cache`: paths by name, best first.
    cache: HashMap<String, Vec<PathBuf>>,
}

/// Beside the cache: glibc's and musl's own folders.
const DEFAULT_FOLDERS: [&str; 5] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"];
const CACHE: &str = "/etc/ld.so.cache";
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const CACHE_HEADER: usize = 48;
const CACHE_ENTRY: usize = 24;

impl Libraries {
    /// Reads the cache. A machine without one (musl) has only folders.
    pub fn of_this_machine() -> Result<Self> {
        let bytes = match fs::read(CACHE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.doing(|| format!("cannot read `{CACHE}`"))?,
        };
        Ok(Self { cache: parse_cache(&bytes).unwrap_or_default() })
    }

    /// The path that the loader would open for `name`, needed by `user` at `user_path`; `inherited` are the
    /// `DT_RPATH` folders of who loaded that.
    ///
    /// # Errors
    /// `not_found` when it is nowhere.
    pub fn find(&self, name: &str, user: &Elf, user_path: &Path, inherited: &[PathBuf]) -> Result<PathBuf> {
        let fits = |path: &Path| {
            fs::read(path)
                .ok()
                .and_then(|bytes| Elf::parse(&bytes).ok().flatten())
                .is_some_and(|elf| elf.machine == user.machine)
        };
        if name.contains('/') {
            return Ok(PathBuf::from(name));
        }
        let own = |list: &[String]| expand_origin(list, user_path);
        let mut candidates: Vec<PathBuf> = Vec::new();
        let below = |folders: Vec<PathBuf>| folders.into_iter().map(|folder| folder.join(name)).collect::<Vec<_>>();
        if user.runpath.is_empty() {
            candidates.extend(below(own(&user.rpath)));
            candidates.extend(below(inherited.to_vec()));
        }
        candidates.extend(below(own(&user.runpath)));
        candidates.extend(self.cache.get(name).into_iter().flatten().cloned());
        candidates.extend(below(DEFAULT_FOLDERS.iter().map(PathBuf::from).collect()));
        candidates.into_iter().find(|path| fits(path)).ok_or_else(|| {
            Error::not_found(format!("library `{name}`, which `{}` needs, is not on this machine", user_path.display()))
        })
    }
}

/// `$ORIGIN` is the folder of who says it.
pub fn expand_origin(folders: &[String], user_path: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(user_path).unwrap_or_else(|_| user_path.to_owned());
    let origin = real.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let expand = |folder: &String| PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
    folders.iter().map(expand).collect()
}

/// The format of glibc's `dl-cache.h`: an older one may come first, with the newer behind it.
fn parse_cache(bytes: &[u8]) -> Option<HashMap<String, Vec<PathBuf>>> {
    let start = bytes.windows(CACHE_MAGIC.len()).position(|window| window == CACHE_MAGIC)?;
    let bytes = &bytes[start..];
    let number = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let text = |at: usize| {
        let rest = bytes.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    };
    let mut cache: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for index in 0..number(20)? {
        let at = CACHE_HEADER + index * CACHE_ENTRY;
        let hardware = bytes.get(at + 16..at + 24)?;
        // Variants for newer processors: the plain library runs everywhere.
        if hardware.iter().any(|byte| *byte != 0) {
            continue;
        }
        let (name, path) = (text(number(at + 4)?)?, text(number(at + 8)?)?);
        cache.entry(name.to_owned()).or_default().push(PathBuf::from(path));
    }
    Some(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_cache_is_no_cache() {
        assert!(parse_cache(b"").is_none());
        assert!(parse_cache(&[CACHE_MAGIC, &[0xff; 40]].concat()).is_none());
    }

    #[test]
    fn origin_is_the_folder_of_the_program() {
        let folders = expand_origin(&["$ORIGIN/../lib".into(), "/opt".into()], Path::new("/nowhere/bin/x"));
        assert_eq!(folders, [PathBuf::from("/nowhere/bin/../lib"), PathBuf::from("/opt")]);
    }
}
