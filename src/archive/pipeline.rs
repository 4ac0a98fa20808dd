//! Inflating on one thread, hashing on a second, while the caller writes files: together they cost little more than the
//! inflating alone.

use super::compression::decompress;
use super::reader::failed;
use crate::error::{Error, Result};
use crate::model::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes handed over at once: large enough that the hand-over costs nothing.
const CHUNK: usize = 1 << 18;
/// Chunks under way: the writer may stall this long, as for a slow `unlink`, before the inflater does.
const DEPTH: usize = 8;

/// Gives the uncompressed bytes of `source` to `consume`, inflated and hashed by threads of their
/// own. Returns what `consume` returned and the digest of all uncompressed bytes, which it must have read.
pub fn inflate<T>(source: impl Read + Send, consume: impl FnOnce(Chunks) -> Result<T>) -> Result<(T, Digest)> {
    let (plain, to_hash) = sync_channel(DEPTH);
    let (hashed, full) = sync_channel(DEPTH);
    let (empty, empty_receiver) = channel();
    let chunks = Chunks { full, empty, current: Vec::new(), used: 0 };
    std::thread::scope(|scope| {
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let inflater = spawn("inflate").spawn_scoped(scope, move || produce(source, &plain, &empty_receiver));
        inflater.map_err(|error| failed(error, "cannot start a thread"))?;
        let hasher = spawn("hash").spawn_scoped(scope, move || hash(&to_hash, &hashed));
        let hasher = hasher.map_err(|error| failed(error, "cannot start a thread"))?;
        let consumed = consume(chunks);
        let digest = hasher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((consumed?, digest))
    })
}

/// The same without a digest: `consume` need not read all.
pub fn read_ahead<T>(source: impl Read + Send, consume: impl FnOnce(Chunks) -> Result<T>) -> Result<T> {
    let (plain, full) = sync_channel(DEPTH);
    let (empty, empty_receiver) = channel();
    let chunks = Chunks { full, empty, current: Vec::new(), used: 0 };
    std::thread::scope(|scope| {
        let inflater = std::thread::Builder::new().name("inflate".to_owned());
        let inflater = inflater.spawn_scoped(scope, move || produce(source, &plain, &empty_receiver));
        inflater.map_err(|error| failed(error, "cannot start a thread"))?;
        consume(chunks)
    })
}

/// What passes between the threads.
type Chunk = Result<Vec<u8>>;

/// What the inflating thread has made, as a buffered reader.
pub struct Chunks {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    used: usize,
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.current.len()
            && let Ok(next) = self.full.recv()
        {
            self.used = 0;
            // The other side may have ended already; then nobody needs the buffer.
            let _ = self.empty.send(std::mem::take(&mut self.current));
            self.current = next.map_err(io::Error::other)?;
        }
        Ok(&self.current[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// Runs until the end, an error, or until nobody takes the chunks any more.
fn produce(source: impl Read + Send, full: &SyncSender<Chunk>, empty: &Receiver<Vec<u8>>) {
    let result = decompress(source).and_then(|mut plain| {
        loop {
            let mut chunk = empty.try_recv().unwrap_or_default();
            chunk.resize(CHUNK, 0);
            let count = read_full(&mut plain, &mut chunk)?;
            chunk.truncate(count);
            if count == 0 || full.send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    });
    if let Err(error) = result {
        let error: Error = error;
        // The consumer learns of it, unless it has stopped for a reason of its own.
        let _ = full.send(Err(error));
    }
}

/// Hashes what passes through; ends when nobody gives or takes any more.
fn hash(plain: &Receiver<Chunk>, full: &SyncSender<Chunk>) -> Digest {
    let mut hasher = Sha256::new();
    for chunk in plain {
        if let Ok(bytes) = &chunk {
            hasher.update(bytes);
        }
        if full.send(chunk).is_err() {
            break;
        }
    }
    Digest::from_sha256(&hasher.finalize())
}

fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error, "cannot read the archive")),
        }
    }
    Ok(filled)
}
