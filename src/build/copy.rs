//! Files and folders of the host into a layer, by the rules of a Dockerfile's COPY.

use super::canvas::{Canvas, Source};
use super::glob;
use crate::archive::member::{Member, MemberKind, Path as Inside};
use crate::archive::{member_of, names};
use crate::error::{Error, IoContext, Result};
use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Copies what `source` means to `target`: a file to that name, or below it when it ends with a slash
/// or is a folder; of a folder, what is in it. Modes and times are kept.
///
/// # Errors
/// `not_found` when `source` means nothing.
pub fn copy(canvas: &mut Canvas, source: &Path, target: &str, owner: Option<&str>, mode: Option<u32>) -> Result<()> {
    let sources = glob::expand(source)?;
    if sources.is_empty() {
        return Err(Error::not_found(format!("no file matches `{}`", source.display())));
    }
    let (uid, gid) = owner.map_or(Ok((0, 0)), |owner| ids(canvas, owner))?;
    let target_path = canvas.resolve(target.as_bytes(), true)?;
    let into = target.ends_with('/')
        || sources.len() > 1
        || canvas.kind(&target_path)? == Some(MemberKind::Directory)
        || target_path.as_bytes().is_empty();
    let mut copy = Copy { canvas, uid, gid, mode, links: HashMap::new() };
    for source in sources {
        let doing = || format!("cannot copy `{}`", source.display());
        // What is named is followed; links inside of what is named stay links.
        let host = fs::canonicalize(&source).doing(doing)?;
        if host.is_dir() {
            copy.folder(&host, &target_path)?;
        } else {
            let name = source.file_name().unwrap_or_default();
            let path = if into { target_path.join(name.as_bytes()) } else { target_path.clone() };
            copy.entry(&host, path)?;
        }
    }
    Ok(())
}

struct Copy<'a> {
    canvas: &'a mut Canvas,
    uid: u32,
    gid: u32,
    mode: Option<u32>,
    /// Files with several names: device and inode, and the name that was copied first.
    links: HashMap<(u64, u64), Inside>,
}

impl Copy<'_> {
    fn folder(&mut self, host: &Path, path: &Inside) -> Result<()> {
        if !path.as_bytes().is_empty() && self.canvas.kind(path)? != Some(MemberKind::Directory) {
            self.add(host, path.clone())?;
        }
        for name in names(host)? {
            let child = host.join(&name);
            let inside = path.join(name.as_bytes());
            let metadata = child.symlink_metadata().doing(|| format!("cannot copy `{}`", child.display()))?;
            if metadata.is_dir() { self.folder(&child, &inside)? } else { self.entry(&child, inside)? }
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, path: Inside) -> Result<()> {
        let metadata = host.symlink_metadata().doing(|| format!("cannot copy `{}`", host.display()))?;
        if metadata.nlink() > 1 {
            let key = (metadata.dev(), metadata.ino());
            // A hard link has to come after what it links to, and members are in the order of names.
            if let Some(first) = self.links.get(&key).filter(|first| **first < path) {
                let mut member = self.member(host, path.clone())?;
                if let Some(member) = &mut member {
                    member.kind = MemberKind::HardLink(first.clone());
                    member.size = 0;
                }
                return member.map_or(Ok(()), |member| self.canvas.add(member, Source::Nothing));
            }
            self.links.insert(key, path.clone());
        }
        self.add(host, path)
    }

    fn add(&mut self, host: &Path, path: Inside) -> Result<()> {
        let Some(member) = self.member(host, path)? else { return Ok(()) };
        let source = match member.kind {
            MemberKind::File => Source::File(PathBuf::from(host)),
            _ => Source::Nothing,
        };
        self.canvas.add(member, source)
    }

    fn member(&self, host: &Path, path: Inside) -> Result<Option<Member>> {
        let mut member = member_of(host, path)?;
        if let Some(member) = &mut member {
            member.uid = self.uid;
            member.gid = self.gid;
            // A folder without its x bits could not be entered: the mode is meant for files.
            if let Some(mode) = self.mode.filter(|_| member.kind == MemberKind::File) {
                member.mode = mode;
            }
        }
        Ok(member)
    }
}

/// `user`, `user:group`: numbers, or names of the image's own files.
fn ids(canvas: &Canvas, owner: &str) -> Result<(u32, u32)> {
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let (uid, own_group) = if let Ok(uid) = user.parse() {
        (uid, uid)
    } else {
        let fields = entry(canvas, "/etc/passwd", user)?;
        (number(&fields, 2, user)?, number(&fields, 3, user)?)
    };
    let Some(group) = group else { return Ok((uid, own_group)) };
    let gid = match group.parse() {
        Ok(gid) => gid,
        Err(_) => number(&entry(canvas, "/etc/group", group)?, 2, group)?,
    };
    Ok((uid, gid))
}

fn entry(canvas: &Canvas, file: &str, name: &str) -> Result<Vec<String>> {
    let text = canvas.read(file)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let line = line.ok_or_else(|| {
        Error::not_found(format!("the image's `{file}` has no `{name}`"))
            .hint("write its number: `owner: \"1000:1000\"`")
    })?;
    Ok(line.split(':').map(str::to_owned).collect())
}

fn number(fields: &[String], index: usize, name: &str) -> Result<u32> {
    let number = fields.get(index).and_then(|field| field.parse().ok());
    number.ok_or_else(|| Error::corrupt(format!("the image's entry of `{name}` has no number")))
}
