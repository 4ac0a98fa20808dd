//! `location(url)`: a folder of files, here or elsewhere.

use super::item::Item;
use super::place::Place;
use super::{TargetOptions, encryption};
use crate::error::{Error, IoContext, Result};
use crate::script::binding::{Bytes, Call, Object, api};
use std::io::{Read, Write};

/// The largest file that is read into a string, bytes.
const LARGEST: u64 = 64 << 20;

/// A folder of files on this machine, in a bucket or on another host.
#[derive(Clone, Object)]
pub struct Location {
    url: String,
    options: TargetOptions,
}

/// A folder of files: a path of this machine, relative to the script, `s3://bucket/prefix` of a server that speaks S3, or
/// `ssh://[user@]host[:port]/path` (`/~/path` begins at the user's home). Nothing is asked of it yet.
///
/// Keys of S3 come from the options or from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. ssh is the program of that name
/// with the user's configuration; it asks for no passwords.
///
/// # Example
/// let here = location(fs::temp_dir());
/// here.write("a.txt", "hello");
/// assert_eq(here.list()[0].name, "a.txt");
///
/// # Errors
/// `invalid` for a URL of another kind.
#[api]
pub fn location(call: &Call, url: String, options: TargetOptions) -> Result<Location> {
    let location = Location { url, options };
    location.place(call)?;
    Ok(location)
}

impl Location {
    fn place(&self, call: &Call) -> Result<Place> {
        Place::parse(call, &self.url, &self.options)
    }
}

#[api]
impl Location {
    /// Where it is.
    #[get(column)]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The files in it, by name; folders in it are left out.
    ///
    /// # Example
    /// let here = location(fs::temp_dir());
    /// here.write("b", "");
    /// here.write("a", "xyz");
    /// assert_eq(here.list().map(|file| file.name), ["a", "b"]);
    /// assert_eq(here.list()[0].size, 3);
    ///
    /// # Errors
    /// `not_found` when there is no such folder or bucket, `unauthorized`, `denied`, `network`.
    pub fn list(&self, call: &Call) -> Result<Vec<Item>> {
        self.place(call)?.list(call)
    }

    /// Writes text or a blob into a file of it, in place of what it held: whole, or not at all.
    ///
    /// # Example
    /// location(fs::temp_dir()).write("note.txt", "hello\n");
    ///
    /// # Errors
    /// Those of `list`.
    pub fn write(&self, call: &Call, name: String, content: Bytes) -> Result<()> {
        let place = self.place(call)?.join(&name)?;
        let mut destination = encryption::encrypted(place.create(call)?, &self.options)?;
        destination.write_all(&content.0).doing(|| format!("cannot write `{name}` in `{}`", self.url))?;
        destination.commit()
    }

    /// The text of a file in it.
    ///
    /// # Example
    /// let here = location(fs::temp_dir());
    /// here.write("note.txt", "hello\n");
    /// assert_eq(here.read("note.txt"), "hello\n");
    ///
    /// # Errors
    /// Those of `list`; `invalid` when it is not UTF-8 or larger than 64 MiB.
    pub fn read(&self, call: &Call, name: String) -> Result<String> {
        let doing = || format!("cannot read `{name}` in `{}`", self.url);
        let source = encryption::decrypted(call, self.place(call)?.join(&name)?.open(call)?, &name, &self.options)?;
        let mut text = Vec::new();
        source.take(LARGEST + 1).read_to_end(&mut text).doing(doing)?;
        if text.len() as u64 > LARGEST {
            return Err(Error::invalid(format!("{}: it is larger than 64 MiB", doing())));
        }
        String::from_utf8(text).map_err(|_| Error::invalid(format!("{}: it is not UTF-8 text", doing())))
    }

    /// Removes a file of it; fine when there is none.
    ///
    /// # Example
    /// let here = location(fs::temp_dir());
    /// here.write("a", "");
    /// here.remove("a");
    /// assert_eq(here.list(), []);
    ///
    /// # Errors
    /// Those of `list`.
    pub fn remove(&self, call: &Call, name: String) -> Result<()> {
        self.place(call)?.join(&name)?.remove(call)
    }
}
