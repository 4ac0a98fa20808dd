//! Containers that try to get out. Each test is an attack that has worked on some runtime, and fails here.
//! `SECURITY.md` says what is promised, and names these tests.

mod binary;
mod kernel;
mod links;
mod resources;

use crate::support::Shanty;
use crate::support::busybox::BUSYBOX;
use std::path::Path;
use std::process::Command;

/// Makes the image `hostile:1`: busybox with one more layer.
fn hostile_image(shanty: &Shanty, fill: impl FnOnce(&mut Layer)) {
    let path = shanty.work().join("hostile.tar");
    let mut layer = Layer(tar::Builder::new(std::fs::File::create(&path).unwrap()));
    fill(&mut layer);
    layer.0.finish().unwrap();
    let code = format!("from(`{BUSYBOX}`).layer_from(`{}`).tag(`hostile:1`)", path.display());
    shanty.eval(&code).ok();
}

struct Layer(tar::Builder<std::fs::File>);

impl Layer {
    fn file(&mut self, path: &str, content: &[u8]) {
        let mut header = header(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content).unwrap();
    }

    fn link(&mut self, path: &str, target: &str) {
        self.0.append_link(&mut header(tar::EntryType::Symlink), path, target).unwrap();
    }
}

fn header(kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(0);
    header
}

/// Compiles a program of `tests/hostile/`.
fn compile(shanty: &Shanty, source: &str, options: &[&str]) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile").join(source);
    let program = shanty.work().join("compiled");
    let output = Command::new("cc").args(options).arg("-o").arg(&program).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(program).unwrap()
}
