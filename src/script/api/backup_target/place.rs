//! What the text of a destination means.

use super::file;
use super::item::Item;
use super::s3::{self, Bucket};
use super::ssh::{self, Host};
use super::stdout::StandardOutput;
use super::{Destination, TargetOptions};
use crate::error::{Error, Result};
use crate::script::api::input_file;
use crate::script::api::values::absolute;
use crate::script::binding::Call;
use std::io::Read;
use std::path::PathBuf;
use url::Url;

/// A file, or a folder of files, somewhere.
pub enum Place {
    /// Standard output or input.
    Stream,
    /// On this machine.
    File(PathBuf),
    /// In a bucket, by its key.
    S3(Bucket, String),
    /// On another host.
    Ssh(Host, String),
}

impl Place {
    /// Of a path or URL.
    pub fn parse(call: &Call, text: &str, options: &TargetOptions) -> Result<Self> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(if text == "-" { Self::Stream } else { Self::File(absolute(call.session().folder(), text)) });
        };
        let not_one = |why: String| {
            Error::invalid(format!("`{text}` is no place for a backup: {why}"))
                .hint("it is a path, `s3://bucket/key` or `ssh://[user@]host[:port]/path`")
        };
        let url: Url = text.parse().map_err(|error| not_one(format!("{error}")))?;
        match scheme {
            "s3" => {
                let bucket = url.host_str().ok_or_else(|| not_one("there is no bucket".to_owned()))?;
                let key = percent_decoded(url.path().trim_start_matches('/'))
                    .ok_or_else(|| not_one("its key is not UTF-8".to_owned()))?;
                Ok(Self::S3(Bucket::open(bucket, options, call.context())?, key))
            }
            "ssh" => {
                let path = percent_decoded(url.path()).ok_or_else(|| not_one("its path is not UTF-8".to_owned()))?;
                Ok(Self::Ssh(
                    Host::of(&url, options).ok_or_else(|| not_one("there is no host".to_owned()))?,
                    ssh::path(&path),
                ))
            }
            "file" => Ok(Self::File(url.to_file_path().map_err(|()| not_one("it is on another host".to_owned()))?)),
            other => Err(not_one(format!("`{other}` is not known"))),
        }
    }

    /// Something that is in it, when it is a folder.
    pub fn join(self, name: &str) -> Result<Self> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(Error::invalid(format!("`{}` is no name of a file", name.escape_debug())));
        }
        let below = |folder: String| match folder.trim_end_matches('/') {
            "" if folder.is_empty() => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        Ok(match self {
            Self::Stream => return Err(Error::invalid("standard output has no names")),
            Self::File(path) => Self::File(path.join(name)),
            Self::S3(bucket, prefix) => Self::S3(bucket, below(prefix)),
            Self::Ssh(host, folder) => Self::Ssh(host, below(folder)),
        })
    }

    /// Starts to write it.
    pub fn create(self, call: &Call) -> Result<Box<dyn Destination>> {
        match self {
            Self::Stream => Ok(Box::new(StandardOutput::open()?)),
            Self::File(path) => file::open(&path),
            Self::S3(bucket, key) => Ok(Box::new(s3::Upload::new(bucket, key)?)),
            Self::Ssh(host, path) => Ok(Box::new(ssh::Upload::start(host, path, call.context())?)),
        }
    }

    /// Starts to read it.
    pub fn open(self, call: &Call) -> Result<Box<dyn Read + Send>> {
        match self {
            Self::Stream => input_file::open(call, "-"),
            Self::File(path) => input_file::open(call, &path.to_string_lossy()),
            Self::S3(bucket, key) => Ok(Box::new(s3::Download::start(bucket, &key)?)),
            Self::Ssh(host, path) => Ok(Box::new(ssh::Download::start(&host, &path, call.context())?)),
        }
    }

    /// The files in it.
    pub fn list(&self, call: &Call) -> Result<Vec<Item>> {
        let mut items = match self {
            Self::Stream => return Err(Error::invalid("standard output has no files")),
            Self::File(folder) => file::list(folder)?,
            Self::S3(bucket, prefix) => bucket.list(prefix)?,
            Self::Ssh(host, folder) => ssh::list(host, folder, &call.context())?,
        };
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }

    /// Removes it; fine when it is not there.
    pub fn remove(&self, call: &Call) -> Result<()> {
        match self {
            Self::Stream => Err(Error::invalid("standard output cannot be removed")),
            Self::File(path) => file::remove(path),
            Self::S3(bucket, key) => bucket.remove(key),
            Self::Ssh(host, path) => ssh::remove(host, path, &call.context()),
        }
    }
}

/// The text that a part of a URL stands for.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = after.get(..2).filter(|_| byte == b'%').and_then(|digits| hex::decode(digits).ok());
        rest = if decoded.is_some() { &after[2..] } else { after };
        bytes.extend(decoded.unwrap_or_else(|| vec![byte]));
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn what_a_url_cannot_hold_is_decoded() {
        for (text, expected) in [
            ("/a%20b", Some("/a b")),
            ("/100%", Some("/100%")),
            ("%+f", Some("%+f")),
            ("%C3%A4", Some("ä")),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(text).as_deref(), expected, "{text}");
        }
    }
}
