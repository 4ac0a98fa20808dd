//! What a program needs to be loaded, read from its ELF headers (elf(5)). Nothing is executed.

use crate::error::{Error, Result};

/// What the dynamic loader would look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// Class (32 or 64 bits), byte order and machine: a library must have the same.
    pub machine: (u8, u8, u16),
    /// The dynamic loader; `None` for a static program or a library.
    pub interpreter: Option<String>,
    /// Libraries by name, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`: searched first, also for the libraries of its libraries.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`, and switches `DT_RPATH` off.
    pub runpath: Vec<String>,
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

impl Elf {
    /// Reads the headers; `None` when it is no ELF file.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        if !bytes.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        Reader::new(bytes)
            .and_then(|reader| reader.read())
            .map(Some)
            .ok_or_else(|| Error::corrupt("its ELF headers are damaged"))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    little: bool,
}

struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let wide = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let little = match bytes.get(5)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        Some(Self { bytes, wide, little })
    }

    fn read(&self) -> Option<Elf> {
        let machine = (self.bytes[4], self.bytes[5], self.number(18, 2)? as u16);
        let mut elf = Elf { machine, ..Elf::default() };
        let segments = self.segments()?;
        for segment in &segments {
            match segment.kind {
                PT_INTERP => elf.interpreter = Some(self.string(segment.offset)?),
                PT_DYNAMIC => self.dynamic(segment, &segments, &mut elf)?,
                _ => {}
            }
        }
        Some(elf)
    }

    fn segments(&self) -> Option<Vec<Segment>> {
        let (table, entry_size, count) = if self.wide {
            (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?)
        } else {
            (self.number(28, 4)?, self.number(42, 2)?, self.number(44, 2)?)
        };
        let mut segments = Vec::new();
        for index in 0..count {
            let at = table.checked_add(index * entry_size)?;
            // Offset, address and size in the file: their places differ by class.
            let fields = if self.wide { [8, 16, 32] } else { [4, 8, 16] };
            let word = if self.wide { 8 } else { 4 };
            let field = |index: usize| self.number(at.checked_add(fields[index])?, word);
            segments.push(Segment {
                kind: self.number(at, 4)?,
                offset: field(0)?,
                address: field(1)?,
                size: field(2)?,
            });
        }
        Some(segments)
    }

    fn dynamic(&self, dynamic: &Segment, segments: &[Segment], elf: &mut Elf) -> Option<()> {
        let word = if self.wide { 8 } else { 4 };
        let mut entries = Vec::new();
        for index in 0..dynamic.size / (2 * word) {
            let at = dynamic.offset.checked_add(index * 2 * word)?;
            let (tag, value) = (self.number(at, word)?, self.number(at + word, word)?);
            if tag == DT_NULL {
                break;
            }
            entries.push((tag, value));
        }
        let Some((_, strings)) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else { return Some(()) };
        let strings = file_offset(*strings, segments)?;
        for (tag, value) in &entries {
            let text = || self.string(strings.checked_add(*value)?);
            match *tag {
                DT_NEEDED => elf.needed.push(text()?),
                DT_RPATH => elf.rpath = paths(&text()?),
                DT_RUNPATH => elf.runpath = paths(&text()?),
                _ => {}
            }
        }
        Some(())
    }

    fn string(&self, offset: u64) -> Option<String> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        String::from_utf8(rest[..end].to_vec()).ok()
    }

    fn number(&self, offset: u64, size: u64) -> Option<u64> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(size as usize)?)?;
        let push = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) })
    }
}

/// The dynamic section speaks of memory; `PT_LOAD` says which part of the file is there.
fn file_offset(address: u64, segments: &[Segment]) -> Option<u64> {
    let holds = |segment: &&Segment| {
        segment.kind == PT_LOAD && address >= segment.address && address - segment.address < segment.size
    };
    segments.iter().find(holds).map(|segment| address - segment.address + segment.offset)
}

fn paths(list: &str) -> Vec<String> {
    list.split(':').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_program_names_its_loader_and_libraries() {
        let elf = Elf::parse(&std::fs::read("/bin/ls").unwrap()).unwrap().unwrap();
        assert!(elf.interpreter.unwrap().contains("ld-"));
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.so")), "{:?}", elf.needed);
    }

    #[test]
    fn damaged_headers_are_corrupt_and_scripts_are_no_elf() {
        assert_eq!(Elf::parse(b"#!/bin/sh\n").unwrap(), None);
        let whole = std::fs::read("/bin/ls").unwrap();
        assert!(Elf::parse(&whole[..100]).is_err());
        assert!(Elf::parse(b"\x7fELF").is_err());
        // No prefix and no flipped byte of the headers makes it panic.
        for at in 0..600 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let _ = Elf::parse(&damaged);
            let _ = Elf::parse(&whole[..at]);
        }
    }
}
