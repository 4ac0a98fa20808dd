//! PAX extended headers: `LENGTH KEY=VALUE\n` records (POSIX.1-2017, pax, "pax Extended Header").

use super::member::Time;
use crate::error::{Error, Result};

/// What a PAX header says about the member that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaxHeader {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<Time>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// What a person, or whoever wrote the archive, has to say.
    pub comment: Option<Vec<u8>>,
    /// GNU tar's words about a sparse file.
    pub sparse: SparseRecords,
}

/// The records `GNU.sparse.…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseRecords {
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Records of the older formats.
    pub other: bool,
}

impl SparseRecords {
    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The prefix under which GNU tar, Go and libarchive keep extended attributes.
pub const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

impl PaxHeader {
    /// Reads all records of a header.
    pub fn parse(mut bytes: &[u8]) -> Result<Self> {
        let mut header = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or_else(|| bad("a record does not end where it says"))?;
            header.take(key, value)?;
            bytes = rest;
        }
        Ok(header)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            // An empty value takes back what a global header said: there is nothing to take back.
            b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime" if value.is_empty() => {}
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"comment" => self.comment = Some(value.to_vec()),
            b"GNU.sparse.major" => self.sparse.major = Some(number(value)?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(number(value)?),
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse.real_size = Some(number(value)?),
            key if key.starts_with(b"GNU.sparse.") => self.sparse.other = true,
            key => {
                if let Some(name) = key.strip_prefix(XATTR_PREFIX) {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// The first record: key, value, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // Nineteen digits are more than any header has bytes.
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = number(&bytes[..space]).ok()?;
    if length <= space + 1 || length > bytes.len() {
        return None;
    }
    let record = bytes[space + 1..length].strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    if equals == 0 || record[..equals].contains(&0) {
        return None;
    }
    Some((&record[..equals], &record[equals + 1..], &bytes[length..]))
}

/// Plain decimal digits. Rust's own parser would also take a `+`.
fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T> {
    let digits = text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    number.ok_or_else(|| bad(&format!("`{}` is no number in range", String::from_utf8_lossy(text))))
}

/// `1700000000.123456789`, with more or fewer digits, perhaps negative.
fn time(text: &[u8]) -> Result<Time> {
    let wrong = || bad(&format!("`{}` is no time", String::from_utf8_lossy(text)));
    let (negative, rest) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match rest.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&rest[..dot], &rest[dot + 1..]),
        None => (rest, &b""[..]),
    };
    let seconds: i64 = number(whole)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    let mut nanoseconds = 0;
    for place in 0..9 {
        nanoseconds = nanoseconds * 10 + i64::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    }
    Ok(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

fn bad(why: &str) -> Error {
    Error::corrupt(format!("the archive has a damaged extended header: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn records_are_read_whole_with_newlines_and_equal_signs_in_values() {
        let header =
            PaxHeader::parse(b"18 path=a\nb=c/d/e\n30 mtime=1700000000.123456789\n26 SCHILY.xattr.user.x=\0y\n")
                .unwrap();
        assert_eq!(header.path.unwrap(), b"a\nb=c/d/e");
        assert_eq!(header.mtime.unwrap(), Time { seconds: 1_700_000_000, nanoseconds: 123_456_789 });
        assert_eq!(header.xattrs, [(b"user.x".to_vec(), b"\0y".to_vec())]);
    }

    #[test]
    fn times_before_1970_count_forward() {
        for (text, seconds, nanoseconds) in
            [("-1.25", -2, 750_000_000), ("-3", -3, 0), ("0.5", 0, 500_000_000), ("7.1234567899", 7, 123_456_789)]
        {
            assert_eq!(time(text.as_bytes()).unwrap(), Time { seconds, nanoseconds }, "{text}");
        }
    }

    #[test]
    fn damaged_records_are_corrupt() {
        for text in [
            "path=a\n",
            "9 path=a\n\n",
            "99 path=a\n",
            "10 path=ab",
            "2 \n",
            "+10 path=a\n",
            "8 =abcd\n",
            "11 size=-1\n",
            "12 uid=1e10\n",
            "18446744073709551616 path=a\n",
            "12 mtime=x\n",
            "21 size=99999999999999999999\n",
        ] {
            assert_eq!(PaxHeader::parse(text.as_bytes()).unwrap_err().kind(), ErrorKind::Corrupt, "{text:?}");
        }
    }
}
