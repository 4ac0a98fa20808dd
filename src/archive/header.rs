//! The 512 bytes before each member: POSIX ustar, GNU and the old V7 form.

use super::member::Time;
use crate::error::{Error, Result};

/// Everything in a tar is a multiple of this.
pub const BLOCK: usize = 512;

/// One header block with a right checksum. Fields that make no sense for the member's type are read anyway.
#[derive(Clone, Debug)]
pub struct Header {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub typeflag: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: Time,
    pub major: u32,
    pub minor: u32,
}

impl Header {
    /// Reads a block; `None` for one of zeros.
    pub fn parse(block: &[u8; BLOCK]) -> Result<Option<Self>> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        check_sum(block)?;
        let magic = &block[257..263];
        let posix = magic == b"ustar\0";
        let known = posix || magic == b"ustar ";
        let device = |field: &[u8]| if known { unsigned(field) } else { Ok(0) };
        Ok(Some(Self {
            name: name(block, posix),
            link: text(&block[157..257]).to_vec(),
            typeflag: block[156],
            mode: unsigned::<u64>(&block[100..108])? as u32 & 0o7777,
            uid: unsigned(&block[108..116])?,
            gid: unsigned(&block[116..124])?,
            size: unsigned(&block[124..136])?,
            mtime: Time { seconds: signed(&block[136..148])?, nanoseconds: 0 },
            major: device(&block[329..337])?,
            minor: device(&block[337..345])?,
        }))
    }
}

/// The name, with ustar's prefix. GNU keeps other things in its place; star keeps two times at the end of it.
fn name(block: &[u8; BLOCK], posix: bool) -> Vec<u8> {
    let star = &block[508..512] == b"tar\0";
    let prefix = match (posix, star) {
        (false, _) => &b""[..],
        (true, false) => text(&block[345..500]),
        (true, true) => text(&block[345..476]),
    };
    let mut name = prefix.to_vec();
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(text(&block[..100]));
    name
}

/// The sum of all bytes with the field itself as spaces; old programs summed signed bytes.
fn check_sum(block: &[u8; BLOCK]) -> Result<()> {
    let wanted: i64 = signed(&block[148..156])?;
    let (mut plain, mut as_signed) = (0i64, 0i64);
    for (index, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&index) { b' ' } else { *byte };
        plain += i64::from(byte);
        as_signed += i64::from(byte as i8);
    }
    if wanted == plain || wanted == as_signed { Ok(()) } else { Err(bad("a header has a wrong checksum")) }
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

fn unsigned<T: TryFrom<i64>>(field: &[u8]) -> Result<T> {
    signed(field)?.try_into().map_err(|_| bad("a number is out of range"))
}

/// Octal digits between spaces or zeros, or, with the highest bit set, a big-endian number in two's
/// complement (GNU's base-256). An empty field is 0.
fn signed(field: &[u8]) -> Result<i64> {
    let wrong = || bad("a number is damaged");
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value = if negative { -1i128 } else { 0 };
        for (index, byte) in field.iter().enumerate() {
            // The first bit only says which form it is; what remains is extended by its sign.
            let byte = match (index, negative) {
                (0, false) => byte & 0x7f,
                _ => *byte,
            };
            value = (value << 8) | i128::from(byte);
        }
        return i64::try_from(value).map_err(|_| wrong());
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let mut value = 0i64;
    for digit in &digits[..end] {
        if !matches!(digit, b'0'..=b'7') {
            return Err(wrong());
        }
        value = value.checked_mul(8).and_then(|value| value.checked_add(i64::from(digit - b'0'))).ok_or_else(wrong)?;
    }
    Ok(value)
}

fn bad(why: &str) -> Error {
    Error::corrupt(format!("the archive is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"    644 ", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777777 ", Some(0o77_777_777_777)),
            (b"\x80\0\0\0\0\x20\0\0", Some(0x20_0000)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"0000648\0", None),
            (b"+000644\0", None),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(signed(field).ok(), value, "{field:?}");
        }
        assert!(unsigned::<u32>(b"\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    }
}
