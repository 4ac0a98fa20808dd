//! A destination that works on a thread of its own, while files are read for it.

use super::Destination;
use crate::error::{Error, ErrorKind, IoContext, Result};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes handed over at once: large enough that the hand-over costs nothing.
const CHUNK: usize = 1 << 18;
/// Chunks under way.
const DEPTH: usize = 8;

type Thread = JoinHandle<io::Result<Box<dyn Destination>>>;

/// Gives what is written to `destination` on a thread. An error of it is told by a later write, or by the end.
pub fn in_background(destination: Box<dyn Destination>) -> Result<Box<dyn Destination>> {
    let (chunks, taken) = sync_channel(DEPTH);
    let thread = std::thread::Builder::new().name("backup".to_owned());
    let thread = thread.spawn(move || take(destination, &taken)).doing(|| "cannot start a thread")?;
    Ok(Box::new(Background { buffer: Vec::with_capacity(CHUNK), chunks: Some(chunks), thread: Some(thread) }))
}

fn take(mut destination: Box<dyn Destination>, chunks: &Receiver<Vec<u8>>) -> io::Result<Box<dyn Destination>> {
    for chunk in chunks {
        destination.write_all(&chunk)?;
    }
    Ok(destination)
}

struct Background {
    buffer: Vec<u8>,
    chunks: Option<SyncSender<Vec<u8>>>,
    thread: Option<Thread>,
}

impl Background {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        match &self.chunks {
            Some(chunks) if chunks.send(chunk).is_ok() => Ok(()),
            // It takes no more: it has failed.
            _ => Err(self.end().err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Waits for the thread.
    fn end(&mut self) -> io::Result<Box<dyn Destination>> {
        self.chunks = None;
        let gone = || io::Error::other(Error::new(ErrorKind::Io, "a thread ended early"));
        self.thread.take().ok_or_else(gone)?.join().map_err(|_| gone())?
    }
}

impl Write for Background {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK - self.buffer.len();
        let count = room.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for Background {
    fn commit(mut self: Box<Self>) -> Result<()> {
        let doing = || "cannot write the backup";
        self.send().doing(doing)?;
        self.end().doing(doing)?.commit()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // What it has is gone when the thread has let go of it.
        drop(self.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Fails once it has more than so many bytes.
    struct Full(Arc<Mutex<Vec<u8>>>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut taken = self.0.lock().unwrap();
            if taken.len() + bytes.len() > self.1 {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
            taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Destination for Full {
        fn commit(self: Box<Self>) -> Result<()> {
            self.0.lock().unwrap().push(b'!');
            Ok(())
        }
    }

    #[test]
    fn all_comes_through_in_order_and_errors_come_back() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut background = in_background(Box::new(Full(taken.clone(), usize::MAX))).unwrap();
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|index| index as u8).collect();
        background.write_all(&bytes).unwrap();
        background.commit().unwrap();
        assert_eq!(*taken.lock().unwrap(), [&bytes[..], b"!"].concat());
        let mut background = in_background(Box::new(Full(Arc::default(), CHUNK))).unwrap();
        let written = background.write_all(&bytes);
        let error = written.doing(|| "writing").and_then(|()| background.commit()).unwrap_err();
        assert!(error.is_full_disk(), "{error:?}");
    }
}
