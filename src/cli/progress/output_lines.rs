//! The lines of a program's output, fit for a terminal: a hostile program must not be able to move the cursor, to change colors, or
//! to answer for the keyboard.

use std::mem;

/// Longest line, bytes: a longer one is cut into several.
const LONGEST: usize = 16 * 1024;
/// What a tab becomes.
const TAB: &str = "    ";

/// Cuts output into lines.
#[derive(Debug, Default)]
pub struct OutputLines {
    /// What has come of the last one.
    rest: Vec<u8>,
}

impl OutputLines {
    /// Takes more bytes, and gives the lines that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() > LONGEST {
                lines.push(printable(&mem::take(&mut self.rest)));
            }
        }
        lines
    }

    /// The last line, when it has no end.
    pub fn finish(&mut self) -> Option<String> {
        let rest = mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| printable(&rest))
    }

    /// The same while more may come: what a program shows that counts on one line.
    pub fn unfinished(&self) -> Option<String> {
        (!self.rest.is_empty()).then(|| printable(&self.rest)).filter(|line| !line.is_empty())
    }
}

/// What a terminal would show of a line in the end, without escape sequences and control characters.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    // A carriage return begins the line anew.
    let text = text.rsplit('\r').next().unwrap_or_default();
    let text = console::strip_ansi_codes(text);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => shown.push_str(TAB),
            character if character.is_control() => {}
            character => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_lines_wherever_the_pieces_end() {
        let mut lines = OutputLines::default();
        assert_eq!(lines.push(b"on"), [""; 0]);
        assert_eq!(lines.push(b"e\ntwo\r\n\nth"), ["one", "two", ""]);
        assert_eq!(lines.unfinished().as_deref(), Some("th"));
        let snowman = "☃\n".as_bytes();
        assert_eq!(lines.push(&snowman[..1]), [""; 0]);
        assert_eq!(lines.push(&snowman[1..]), ["th☃"]);
        assert_eq!(lines.finish(), None);
        lines.push(b"end");
        assert_eq!(lines.finish().as_deref(), Some("end"));
        assert_eq!(lines.push(&vec![b'x'; 3 * LONGEST]).len(), 1);
    }

    #[test]
    fn nothing_reaches_a_terminal_that_is_no_text() {
        for (raw, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("10%\r20%\r30%", "30%"),
            ("a\tb", "a    b"),
            ("bell\u{7} back\u{8}\u{7f}", "bell back"),
            ("\u{9b}31mc1", "c1"),
            ("clear\u{1b}[2J\u{1b}[H", "clear"),
        ] {
            let got = printable(raw.as_bytes());
            assert!(!got.chars().any(char::is_control), "{got:?}");
            assert_eq!(got, shown, "{raw:?}");
        }
        for raw in ["\u{1b}", "\u{1b}[", "\u{1b}P1$r", "\u{1b}]52;c;aGk=", "\u{1b}\u{1b}[A", "\u{90}x\u{9c}"] {
            assert!(!printable(raw.as_bytes()).chars().any(char::is_control), "{raw:?}");
        }
        assert_eq!(printable(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
