use super::*;
use crate::runtime::systemd::address::Address;
use crate::runtime::systemd::message::{ERROR, FIXED, Message, RETURN, incoming};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;
use tempfile::TempDir;

const SCOPE: Scope<'static> = Scope { name: "x.scope", description: "X", slice: "app.slice" };
const JOB: &str = "/org/freedesktop/systemd1/job/5";

/// What a bus says when it is asked for a scope: types of the body and its strings, or nothing at all.
#[derive(Clone, Copy)]
enum Says {
    Job(&'static str),
    Signal(&'static str, &'static str),
    Error(&'static str),
}

/// A bus that takes a user of the number 1000; gives what came of the call.
fn ask(uid: u32, says: &'static [Says], patience: Duration) -> Result<()> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    let bus = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (mut reader, mut writer) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        if line != b"\0AUTH EXTERNAL 31303030\r\n" {
            writer.write_all(b"REJECTED EXTERNAL\r\n").unwrap();
            return;
        }
        writer.write_all(b"OK 0123\r\n").unwrap();
        reader.read_until(b'\n', &mut Vec::new()).unwrap();
        // Hello, the rule for signals, and the call.
        for serial in 1..=3 {
            let mut bytes = vec![0; FIXED];
            reader.read_exact(&mut bytes).unwrap();
            let length = Message::length(&bytes).unwrap();
            bytes.resize(length, 0);
            reader.read_exact(&mut bytes[FIXED..]).unwrap();
            if serial < 3 {
                writer.write_all(&incoming(RETURN, Some(serial), None, "", &[])).unwrap();
            }
        }
        for what in says {
            let bytes = match what {
                Says::Job(job) => incoming(RETURN, Some(3), None, "o", &[job]),
                Says::Signal(job, result) => {
                    incoming(SIGNAL, None, Some(JOB_REMOVED), "oss", &[job, "x.scope", result])
                }
                Says::Error(text) => incoming(ERROR, Some(3), None, "s", &[text]),
            };
            writer.write_all(&bytes).unwrap();
        }
        // Until the caller has heard enough.
        let _ = reader.read_to_end(&mut Vec::new());
    });
    let started =
        Bus::connect(&Address::Path(path), uid, Instant::now() + patience).and_then(|bus| start_on(bus, &SCOPE));
    bus.join().unwrap();
    started
}

#[test]
fn a_scope_is_there_when_its_job_is_done_whatever_else_is_said() {
    let long = Duration::from_secs(20);
    ask(1000, &[Says::Job(JOB), Says::Signal("/other", "failed"), Says::Signal(JOB, "done")], long).unwrap();
    ask(1000, &[Says::Signal(JOB, "done"), Says::Job(JOB)], long).unwrap();
}

#[test]
fn a_scope_that_is_not_made_is_an_error_that_says_why() {
    let long = Duration::from_secs(20);
    let said = |uid, says, patience| ask(uid, says, patience).unwrap_err().message();
    assert!(said(1000, &[Says::Job(JOB), Says::Signal(JOB, "failed")], long).contains("`x.scope`: failed"));
    assert_eq!(said(1000, &[Says::Error("no such unit")], long), "`StartTransientUnit` fails: no such unit");
    assert!(said(0, &[], long).ends_with("refuses you: REJECTED EXTERNAL"));
    assert_eq!(said(1000, &[Says::Job(JOB)], Duration::from_millis(200)), "the bus does not answer");
}
