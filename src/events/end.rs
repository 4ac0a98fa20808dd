//! The end of a file of events: where its last whole line ends, and what that line's number is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Holds the end of any line: `"timeNano":…,"seq":…}` with the largest numbers.
const END_OF_LINE: u64 = 96;
/// How much is read at a time when the last line is not whole.
const CHUNK: u64 = 8 * 1024;

/// Time and number of the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// UTC nanoseconds.
    pub time: i64,
    /// Its number; 0 before the first.
    pub seq: u64,
}

/// Where the last whole line of the first `length` bytes ends, and its mark; zeros when there is none.
///
/// What comes after it is what a killed writer, or a power loss, left.
pub fn last_line(file: &File, length: u64) -> io::Result<(u64, Mark)> {
    if let Some(mark) = mark_before(file, length)? {
        return Ok((length, mark));
    }
    let mut end = length;
    let mut chunk = vec![0; CHUNK.min(length) as usize];
    while end > 0 {
        let from = end.saturating_sub(CHUNK);
        let bytes = &mut chunk[..(end - from) as usize];
        file.read_exact_at(bytes, from)?;
        for position in (0..bytes.len()).rev().filter(|position| bytes[*position] == b'\n') {
            let candidate = from + position as u64 + 1;
            if let Some(mark) = mark_before(file, candidate)? {
                return Ok((candidate, mark));
            }
        }
        end = from;
    }
    Ok((0, Mark::default()))
}

/// The mark of the line that ends at `end`, if a whole line does.
fn mark_before(file: &File, end: u64) -> io::Result<Option<Mark>> {
    let mut bytes = [0; END_OF_LINE as usize];
    let from = end.saturating_sub(END_OF_LINE);
    let bytes = &mut bytes[..(end - from) as usize];
    file.read_exact_at(bytes, from)?;
    Ok(parse(bytes))
}

/// From `…"timeNano":17,"seq":3}\n`: the writer puts both last, so that nothing else has to be read.
fn parse(bytes: &[u8]) -> Option<Mark> {
    let text = bytes.strip_suffix(b"}\n")?;
    let start =
        text.iter().rposition(|byte| *byte == b'"').and_then(|end| text[..end].iter().rposition(|b| *b == b','))?;
    let seq = std::str::from_utf8(&text[start..]).ok()?.strip_prefix(",\"seq\":")?.parse().ok()?;
    let rest = &text[..start];
    let colon = rest.iter().rposition(|byte| *byte == b':')?;
    if !rest[..colon].ends_with(b"\"timeNano\"") {
        return None;
    }
    let time = std::str::from_utf8(&rest[colon + 1..]).ok()?.parse().ok()?;
    Some(Mark { time, seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(bytes: &[u8]) -> (u64, Mark) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        last_line(file.as_file(), bytes.len() as u64).unwrap()
    }

    #[test]
    fn the_last_whole_line_is_found_whatever_stands_behind_it() {
        let line = br#"{"Type":"image","timeNano":-17,"seq":18446744073709551615}"#.to_vec();
        let whole = [&line[..], b"\n"].concat();
        let found = (whole.len() as u64, Mark { time: -17, seq: u64::MAX });
        let (long, empty) = (vec![b'x'; 20_000], vec![b'\n'; 9000]);
        for rest in [&b""[..], b"{", &line, b"\0\0\0", b"nonsense\n", b"}\n", &long, &empty] {
            assert_eq!(end_of(&[&whole, rest].concat()), found, "{}", String::from_utf8_lossy(rest));
        }
        for bytes in [&b""[..], b"{", b"\n", b"}\n", br#"{"seq":3}"#] {
            assert_eq!(end_of(bytes), (0, Mark::default()));
        }
    }
}
