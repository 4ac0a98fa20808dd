//! Entries of the log as JSON text, written by hand: this is done for every line of every container.

/// The last entry may reach beyond that; most are shorter than this.
const ROOM_FOR_ONE: usize = 256;

/// Entries of one stream that were read at one time.
pub struct Entries {
    text: Vec<u8>,
    count: u64,
    /// What stands behind the line: `","stream":"stdout"`.
    stream: &'static str,
    /// And behind that: `,"time":"…"}` and the line end.
    time: String,
}

impl Entries {
    /// Of a stream, at this moment; about so many bytes will be taken at a time.
    pub fn new(stream: &'static str, bytes: usize) -> Self {
        let time = format!(",\"time\":\"{}\"}}\n", jiff::Timestamp::now());
        Self { text: Vec::with_capacity(bytes + ROOM_FOR_ONE), count: 0, stream, time }
    }

    /// Adds a line, or a part of a long one. Parts after the first have a number, so that a reader who comes from the
    /// end knows that there is more before.
    pub fn add(&mut self, line: &[u8], part: u32) {
        let text = &mut self.text;
        text.extend_from_slice(b"{\"log\":\"");
        escape(line, text);
        text.extend_from_slice(b"\",\"stream\":\"");
        text.extend_from_slice(self.stream.as_bytes());
        text.push(b'"');
        if part > 1 {
            text.extend_from_slice(format!(",\"part\":{part}").as_bytes());
        }
        text.extend_from_slice(self.time.as_bytes());
        self.count += 1;
    }

    /// One entry by itself.
    pub fn alone(&self, line: &str) -> Vec<u8> {
        let mut one = Self { text: Vec::new(), count: 0, stream: self.stream, time: self.time.clone() };
        one.add(line.as_bytes(), 1);
        one.text
    }

    /// What was added.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// They are written.
    pub fn clear(&mut self) {
        self.text.clear();
        self.count = 0;
    }
}

/// Where to cut so that no character is cut, when the end may lie inside one.
pub fn last_boundary(bytes: &[u8]) -> usize {
    let end = bytes.len();
    // The first byte of a character says how long it is: look for one that reaches beyond the end.
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let length = match byte {
            0x00..=0x7f => return end,
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        return if length > back + 1 && back + 1 < end { end - back - 1 } else { end };
    }
    end
}

/// Adds bytes to the text of a JSON string. What is not UTF-8 is replaced, as Docker does.
fn escape(bytes: &[u8], text: &mut Vec<u8>) {
    if let Ok(valid) = std::str::from_utf8(bytes) {
        return escape_str(valid, text);
    }
    for chunk in bytes.utf8_chunks() {
        escape_str(chunk.valid(), text);
        if !chunk.invalid().is_empty() {
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// What a byte becomes behind a backslash; 0: it stays, `u`: its number.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

fn escape_str(valid: &str, text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = valid.as_bytes();
    let mut start = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(*byte)];
        if escape == 0 {
            continue;
        }
        text.extend_from_slice(&bytes[start..index]);
        start = index + 1;
        if escape == b'u' {
            text.extend_from_slice(b"\\u00");
            text.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            text.extend_from_slice(&[b'\\', escape]);
        }
    }
    text.extend_from_slice(&bytes[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut text = Vec::new();
        escape(bytes, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_character_comes_back_from_json() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain(['€', '😀', '\u{2028}', '\u{10ffff}']).collect();
        let back: String = serde_json::from_str(&format!("\"{}\"", escaped(all.as_bytes()))).unwrap();
        assert_eq!(back, all);
        for byte in 0..=255u8 {
            let bytes = [b'a', byte, b'b'];
            let back: String = serde_json::from_str(&format!("\"{}\"", escaped(&bytes))).unwrap();
            assert_eq!(back, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn boundaries_lie_between_characters() {
        let text = "aä€😀z";
        let bytes = text.as_bytes();
        for end in 1..=bytes.len() {
            let boundary = last_boundary(&bytes[..end]);
            assert!(text.is_char_boundary(boundary) && end - boundary < 4, "{end}");
            assert!(!text.is_char_boundary(end) || boundary == end);
        }
        // Bytes that are no text are cut anywhere, but cut they are.
        for bytes in [&[0x80; 10][..], &[0xff; 1], &[0xf0, 0x80], &[0xf0]] {
            assert!(last_boundary(bytes) > 0, "{bytes:?}");
        }
    }
}
