//! The keys that leave a terminal to its program: `ctrl-p,ctrl-q`.

use crate::error::{Error, Result};
use std::str::FromStr;

/// The bytes that a terminal sends for them, in order; empty: there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl DetachKeys {
    /// Takes what was typed; gives what goes to the program, and whether the keys were complete. `held` is how many of
    /// them were typed before, and are now.
    pub fn filter(&self, held: &mut usize, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.0.get(*held) == Some(byte) {
                *held += 1;
                if *held == self.0.len() {
                    return (passed, true);
                }
                continue;
            }
            // It was something else: what was held back goes first.
            passed.extend_from_slice(&self.0[..*held]);
            *held = 0;
            if self.0.first() == Some(byte) {
                *held = 1;
                if self.0.len() == 1 {
                    return (passed, true);
                }
            } else {
                passed.push(*byte);
            }
        }
        (passed, false)
    }
}

impl Default for DetachKeys {
    /// Docker's: Ctrl-P Ctrl-Q.
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key = |word: &str| -> Option<u8> {
            if let [letter] = word.as_bytes() {
                return Some(*letter);
            }
            // Control characters are the letters' codes without their upper bits (ascii(7)).
            match word.strip_prefix("ctrl-")?.as_bytes() {
                [letter @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => {
                    Some(letter & 0x1f)
                }
                _ => None,
            }
        };
        let words = text.split(',').filter(|word| !word.is_empty());
        let keys = words.map(key).collect::<Option<Vec<u8>>>();
        keys.map(Self).ok_or_else(|| {
            Error::invalid(format!("`{text}` are not keys"))
                .hint("write them as `ctrl-p,ctrl-q`: letters, or `ctrl-` and a letter, separated by commas")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_docker_writes_them() {
        let keys = |text: &str| text.parse::<DetachKeys>().map(|keys| keys.0);
        assert_eq!(keys("ctrl-p,ctrl-q").unwrap(), DetachKeys::default().0);
        assert_eq!(keys("ctrl-a,d").unwrap(), [1, b'd']);
        assert_eq!(keys("ctrl-\\").unwrap(), [0x1c]);
        assert!(keys("").unwrap().is_empty());
        for text in ["ctrl-", "ctrl-1", "strg-p", "ab"] {
            assert!(keys(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_whole_sequence_detaches_and_nothing_else_is_lost() {
        // (keys, what is typed bit by bit, what the program gets, whether it detaches)
        let cases: [(&str, &[&str], &str, bool); 6] = [
            ("ctrl-p,ctrl-q", &["ab\x10\x11c"], "ab", true),
            ("ctrl-p,ctrl-q", &["\x10", "\x11"], "", true),
            ("ctrl-p,ctrl-q", &["\x10", "x", "\x11"], "\x10x\x11", false),
            ("ctrl-p,ctrl-q", &["\x10\x10\x11"], "\x10", true),
            ("q", &["aq"], "a", true),
            ("", &["\x10\x11"], "\x10\x11", false),
        ];
        for (keys, typed, expected, detaches) in cases {
            let (keys, mut held, mut got, mut detached) = (keys.parse::<DetachKeys>().unwrap(), 0, Vec::new(), false);
            for part in typed {
                let (passed, complete) = keys.filter(&mut held, part.as_bytes());
                got.extend(passed);
                detached |= complete;
            }
            assert_eq!((String::from_utf8(got).unwrap().as_str(), detached), (expected, detaches), "{typed:?}");
        }
    }
}
