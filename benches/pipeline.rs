//! The way of a layer from its compressed bytes into the store, beside inflating alone:
//! `cargo bench --bench pipeline -- LAYER.tar.gz [ROUNDS]` prints seconds as JSON.
#![allow(missing_docs, clippy::unwrap_used)]

use shanty::archive::{Limits, erofs, unpack};
use shanty::context::Context;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(layer) = arguments.next() else { return };
    let rounds: usize = arguments.next().map_or(5, |rounds| rounds.parse().unwrap());
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let here = std::env::current_dir().unwrap();
    for _ in 0..rounds {
        for name in ["inflate", "keep", "unpack"] {
            let scratch = tempfile::tempdir_in(&here).unwrap();
            nix::unistd::sync();
            let start = Instant::now();
            let (layer, folder) = (Path::new(&layer), scratch.path());
            match name {
                "inflate" => inflate(layer),
                "keep" => keep(layer, folder),
                _ => into_folder(layer, folder),
            }
            times.entry(name).or_default().push(start.elapsed().as_secs_f64());
        }
    }
    println!("{}", serde_json::to_string(&times).unwrap());
}

/// With the decoder that the pipeline uses, and nothing else.
fn inflate(layer: &Path) {
    let source = BufReader::with_capacity(1 << 18, File::open(layer).unwrap());
    let mut plain = BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(source));
    io::copy(&mut plain, &mut io::sink()).unwrap();
}

/// Inflated, hashed, kept as a tar, indexed.
fn keep(layer: &Path, folder: &Path) {
    let tar = File::create(folder.join("tar")).unwrap();
    let kept = erofs::keep(File::open(layer).unwrap(), &tar, &Limits::default(), &Context::background());
    let index = BufWriter::new(File::create(folder.join("index")).unwrap());
    kept.unwrap().1.unwrap().write([0; 16], index).unwrap();
}

/// Inflated, hashed, unpacked.
fn into_folder(layer: &Path, folder: &Path) {
    unpack(File::open(layer).unwrap(), folder, &Limits::default(), &Context::background()).unwrap();
}
