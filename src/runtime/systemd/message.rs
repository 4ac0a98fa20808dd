//! Messages of D-Bus as bytes (D-Bus specification, "Message Protocol"), as far as they are needed here: little-endian.

/// Method calls, their answers, and signals.
pub const CALL: u8 = 1;
pub const RETURN: u8 = 2;
pub const ERROR: u8 = 3;
pub const SIGNAL: u8 = 4;

/// The first bytes, which say how long a message is.
pub const FIXED: usize = 16;
/// Longer ones are not for us, bytes.
const LONGEST: usize = 1 << 20;

/// Fields of a header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Values, each at a multiple of its alignment.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.align(8);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u32(value.into())
    }

    /// A string, or the path of an object.
    pub fn string(&mut self, value: &str) -> &mut Self {
        self.u32(value.len() as u32);
        self.0.extend(value.as_bytes());
        self.byte(0)
    }

    /// Types, a letter each.
    pub fn signature(&mut self, value: &str) -> &mut Self {
        self.byte(value.len() as u8);
        self.0.extend(value.as_bytes());
        self.byte(0)
    }

    /// An array, whose elements begin at multiples of `alignment`.
    pub fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.align(alignment);
        let start = self.0.len();
        elements(self);
        let length = (self.0.len() - start) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self
    }

    /// A structure.
    pub fn structure(&mut self) -> &mut Self {
        self.align(8);
        self
    }
}

/// A method, and whose it is.
pub struct Method {
    pub destination: &'static str,
    pub path: &'static str,
    pub interface: &'static str,
    pub member: &'static str,
}

/// The bytes of a call. `serial` is not 0; `signature` are the types of what `body` writes.
pub fn call(method: &Method, serial: u32, signature: &str, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut values = Writer::default();
    body(&mut values);
    let mut message = Writer::default();
    message.byte(b'l').byte(CALL).byte(0).byte(1).u32(values.0.len() as u32).u32(serial);
    message.array(8, |fields| {
        fields.structure().byte(PATH).signature("o").string(method.path);
        fields.structure().byte(INTERFACE).signature("s").string(method.interface);
        fields.structure().byte(MEMBER).signature("s").string(method.member);
        fields.structure().byte(DESTINATION).signature("s").string(method.destination);
        if !signature.is_empty() {
            fields.structure().byte(SIGNATURE).signature("g").signature(signature);
        }
    });
    message.align(8);
    message.0.extend(values.0);
    message.0
}

/// What came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// [`RETURN`], [`ERROR`], [`SIGNAL`], or a call.
    pub kind: u8,
    /// The serial of the call that it answers.
    pub answers: Option<u32>,
    /// The name of an error.
    pub error: Option<String>,
    /// The name of a signal.
    pub member: Option<String>,
    /// Types of the body.
    signature: String,
    body: Vec<u8>,
}

impl Message {
    /// How long the whole message is that begins with these [`FIXED`] bytes; `None` when it is none, or too long.
    pub fn length(fixed: &[u8]) -> Option<usize> {
        let mut reader = Reader(fixed, 0);
        if reader.byte()? != b'l' {
            return None;
        }
        reader.1 = 4;
        let body = reader.u32()? as usize;
        reader.1 = 12;
        let fields = reader.u32()? as usize;
        let length = FIXED.checked_add(fields)?.checked_next_multiple_of(8)?.checked_add(body)?;
        (length <= LONGEST).then_some(length)
    }

    /// Reads a whole one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes, 0);
        reader.byte()?;
        let mut message = Self { kind: reader.byte()?, ..Self::default() };
        reader.1 = 12;
        let end = (reader.u32()? as usize).checked_add(FIXED)?;
        while reader.1 < end {
            reader.align(8);
            let field = reader.byte()?;
            match reader.signature()? {
                "s" | "o" => {
                    let value = reader.string()?.to_owned();
                    match field {
                        MEMBER => message.member = Some(value),
                        ERROR_NAME => message.error = Some(value),
                        _ => {}
                    }
                }
                "u" => {
                    let value = reader.u32()?;
                    message.answers = message.answers.or((field == REPLY_SERIAL).then_some(value));
                }
                "g" => {
                    let value = reader.signature()?;
                    if field == SIGNATURE {
                        value.clone_into(&mut message.signature);
                    }
                }
                // No field has another type.
                _ => return None,
            }
        }
        reader.align(8);
        message.body = bytes.get(reader.1..)?.to_vec();
        Some(message)
    }

    /// The strings and paths of its body, as many as come first beside numbers.
    pub fn strings(&self) -> Vec<&str> {
        let mut reader = Reader(&self.body, 0);
        let mut found = Vec::new();
        for kind in self.signature.chars() {
            let is_read = match kind {
                'u' | 'i' | 'b' => reader.u32().is_some(),
                's' | 'o' => reader.string().map(|text| found.push(text)).is_some(),
                _ => false,
            };
            if !is_read {
                break;
            }
        }
        found
    }
}

/// Bytes, and where in them.
struct Reader<'a>(&'a [u8], usize);

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.1 = self.1.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(self.1..self.1.checked_add(length)?)?;
        self.1 += length;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4);
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let length = self.byte()?.into();
        self.text(length)
    }

    /// With the zero byte after it.
    fn text(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.take(1)?;
        Some(text)
    }
}

/// A message as a bus sends them, whose body is strings.
#[cfg(test)]
pub fn incoming(kind: u8, answers: Option<u32>, member: Option<&str>, signature: &str, strings: &[&str]) -> Vec<u8> {
    tests::incoming(
        kind,
        |fields| {
            if let Some(serial) = answers {
                fields.structure().byte(REPLY_SERIAL).signature("u").u32(serial);
            }
            if let Some(name) = member {
                fields.structure().byte(MEMBER).signature("s").string(name);
            }
            fields.structure().byte(SIGNATURE).signature("g").signature(signature);
        },
        |body| {
            for text in strings {
                body.string(text);
            }
        },
    )
}

#[cfg(test)]
mod tests;
