//! Tars that no honest program writes.

/// A tar written byte by byte, so that it can say anything.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn add(mut self, typeflag: u8, name: &str, link: &str, data: &[u8]) -> Self {
        self.raw(typeflag, name.as_bytes(), link.as_bytes(), data, data.len() as u64);
        self
    }
    pub fn file(self, name: &str, data: &str) -> Self {
        self.add(b'0', name, "", data.as_bytes())
    }
    pub fn folder(self, name: &str) -> Self {
        self.add(b'5', name, "", b"")
    }
    pub fn link(self, name: &str, target: &str) -> Self {
        self.add(b'2', name, target, b"")
    }
    pub fn hard(self, name: &str, target: &str) -> Self {
        self.add(b'1', name, target, b"")
    }
    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
            text += &format!("{length} {key}={value}\n");
        }
        self.add(b'x', "pax", "", text.as_bytes())
    }
    pub fn raw(&mut self, typeflag: u8, name: &[u8], link: &[u8], data: &[u8], size: u64) {
        let mut header = [0u8; 512];
        header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header[157..157 + link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
        header[100..107].copy_from_slice(if typeflag == b'5' { b"0000755" } else { b"0000644" });
        for field in [108, 116] {
            header[field..field + 7].copy_from_slice(b"0000000");
        }
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = typeflag;
        header[257..265].copy_from_slice(b"ustar\x0000");
        Self::seal(&mut header);
        self.0.extend(header);
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }
    fn seal(header: &mut [u8]) {
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    /// Changes the header of the last member, which has no data.
    pub fn patch(mut self, at: usize, bytes: &[u8]) -> Self {
        let start = self.0.len() - 512;
        self.0[start + at..start + at + bytes.len()].copy_from_slice(bytes);
        Self::seal(&mut self.0[start..]);
        self
    }
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// Layers that ask for what no honest one does; each is refused as `corrupt`.
pub fn hostile_layers() -> Vec<(&'static str, Vec<u8>)> {
    let long = "x".repeat(300);
    let deep = "a/".repeat(2048);
    let mut cut = Tar::default().file("a", &"data".repeat(400)).end();
    cut.truncate(1000);
    let mut header_cut = Tar::default().file("a", "x").end();
    header_cut.truncate(100);
    let mut damaged = Tar::default().file("a", "x").end();
    damaged[0] = b'b';
    let mut huge = Tar::default();
    huge.raw(b'0', b"a", b"", b"x", 0o77_777_777_777);
    let mut huge_header = Tar::default();
    huge_header.raw(b'x', b"pax", b"", b"x", 1 << 30);
    let mut hidden = Tar::default().file("inner", "x").0;
    hidden.resize(1024, 0);
    vec![
        ("a name with `..`", Tar::default().file("../outside/new", "x").end()),
        ("a name with `..` inside", Tar::default().folder("a").file("a/../../outside/new", "x").end()),
        ("a folder named `..`", Tar::default().folder("..").end()),
        ("a PAX name with `..`", Tar::default().pax(&[("path", "../outside/new")]).file("a", "x").end()),
        (
            "a GNU long name with `..`",
            Tar::default().add(b'L', "././@LongLink", "", b"../outside/new\0").file("a", "x").end(),
        ),
        ("a hard link to `..`", Tar::default().hard("a", "../outside/secret").end()),
        ("a hard link to an absolute name", Tar::default().hard("a", "/etc/passwd").end()),
        ("a hard link through a link", Tar::default().link("l", "../outside").hard("a", "l/secret").end()),
        ("a hard link through a link to the root", Tar::default().link("l", "/").hard("a", "l/etc/passwd").end()),
        ("a hard link to a folder", Tar::default().folder("d").hard("a", "d").end()),
        ("a hard link to the root", Tar::default().hard("a", "/").end()),
        ("a hard link to itself", Tar::default().file("a", "x").hard("a", "a").end()),
        ("a hard link to nothing", Tar::default().hard("a", "b").end()),
        ("a file below a dangling link", Tar::default().link("l", "../outside/nothing").file("l/new", "x").end()),
        ("a file below a looping link", Tar::default().link("l", "l").file("l/new", "x").end()),
        ("a file below a file", Tar::default().file("f", "x").file("f/new", "x").end()),
        ("a file below a device", Tar::default().add(b'3', "d", "", b"").file("d/new", "x").end()),
        ("a whiteout of `..`", Tar::default().folder("d").file("d/.wh...", "").end()),
        ("a whiteout of nothing", Tar::default().file(".wh.", "").end()),
        ("a whiteout as a folder", Tar::default().file(".wh.d/new", "x").end()),
        ("a root that is a file", Tar::default().file("./", "").add(b'2', "/", "../outside", b"").end()),
        ("a name that is too long", Tar::default().pax(&[("path", &long)]).file("a", "x").end()),
        ("a path that is too long", Tar::default().pax(&[("path", &deep)]).file("a", "x").end()),
        ("an empty link", Tar::default().link("l", "").end()),
        ("an unknown type", Tar::default().add(b'Z', "a", "", b"").end()),
        ("owner -1", Tar::default().pax(&[("uid", "4294967295")]).file("a", "x").end()),
        ("an owner beyond 32 bits", Tar::default().pax(&[("gid", "4294967296")]).file("a", "x").end()),
        ("an attribute with a zero byte", Tar::default().pax(&[("SCHILY.xattr.user.a\0b", "x")]).file("a", "x").end()),
        (
            "an attribute of no namespace",
            Tar::default().pax(&[("SCHILY.xattr.security.capability", "xx")]).file("a", "x").end(),
        ),
        ("a file cut short", cut),
        ("a header cut short", header_cut),
        ("a header with a wrong checksum", damaged),
        ("a file larger than the archive", huge.end()),
        ("an extended header beyond the limit", huge_header.end()),
        ("a member after a block of zeros", [vec![0; 512], Tar::default().file("a", "x").end()].concat()),
        ("an extended header at the end", Tar::default().pax(&[("path", "a")]).end()),
        ("two extended headers", Tar::default().pax(&[("size", "1")]).pax(&[("path", "b")]).file("a", "x").end()),
        // Readers that apply the size to the long name see `inner`, others do not (tar-rs issue 454).
        (
            "a size before a long name",
            Tar::default().pax(&[("size", "1024")]).add(b'L', "x", "", b"name\0").add(b'0', "a", "", &hidden).end(),
        ),
        ("a global size", Tar::default().add(b'g', "g", "", b"11 size=512\n").file("a", "x").end()),
        ("a PAX record that runs over", Tar::default().add(b'x', "p", "", b"99 path=a\n").file("a", "x").end()),
        (
            "a negative size",
            Tar::default().file("a", "").patch(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").end(),
        ),
        ("a damaged number", Tar::default().file("a", "").patch(124, b"0000000000z").end()),
        ("damaged gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0garbage".to_vec()),
        ("damaged zstd", b"\x28\xb5\x2f\xfdgarbage".to_vec()),
        ("no archive at all", b"<html>not found</html>".repeat(50)),
    ]
}
