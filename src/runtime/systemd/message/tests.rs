use super::*;

const METHOD: Method = Method { destination: "a.b", path: "/p", interface: "a.I", member: "Do" };

/// The call with a string and an array of structures, written down by hand from the specification.
#[test]
fn a_call_has_the_bytes_of_the_specification() {
    let bytes = call(&METHOD, 7, "sa(sv)", |values| {
        values.string("x").array(8, |all| {
            all.structure().string("k").signature("b").bool(true);
        });
    });
    #[rustfmt::skip]
    let expected: Vec<u8> = [
        // Little-endian, a call, no flags, version 1; the length of the body; the serial; the length of the fields.
        &[b'l', 1, 0, 1, 32, 0, 0, 0, 7, 0, 0, 0, 76, 0, 0, 0][..],
        &[1, 1, b'o', 0, 2, 0, 0, 0], b"/p\0", &[0; 5],
        &[2, 1, b's', 0, 3, 0, 0, 0], b"a.I\0", &[0; 4],
        &[3, 1, b's', 0, 2, 0, 0, 0], b"Do\0", &[0; 5],
        &[6, 1, b's', 0, 3, 0, 0, 0], b"a.b\0", &[0; 4],
        &[8, 1, b'g', 0, 6], b"sa(sv)\0", &[0; 4],
        // "x"; the length of the array, and up to a multiple of 8; "k", the type of the variant, true.
        &[1, 0, 0, 0], b"x\0", &[0; 2], &[16, 0, 0, 0], &[0; 4],
        &[1, 0, 0, 0], b"k\0", &[1, b'b', 0], &[0; 3], &[1, 0, 0, 0],
    ].concat();
    assert_eq!(bytes, expected);
    assert_eq!(Message::length(&bytes[..FIXED]), Some(bytes.len()));
}

/// A message as a bus sends them.
pub fn incoming(kind: u8, fields: impl FnOnce(&mut Writer), body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut values = Writer::default();
    body(&mut values);
    let mut message = Writer::default();
    message.byte(b'l').byte(kind).byte(0).byte(1).u32(values.0.len() as u32).u32(3).array(8, fields).align(8);
    message.0.extend(values.0);
    message.0
}

#[test]
fn answers_errors_and_signals_are_read() {
    let bytes = incoming(
        SIGNAL,
        |fields| {
            fields.structure().byte(MEMBER).signature("s").string("JobRemoved");
            fields.structure().byte(9).signature("u").u32(0);
            fields.structure().byte(SIGNATURE).signature("g").signature("uoss");
        },
        |body| {
            body.u32(5).string("/job/5").string("x.scope").string("done");
        },
    );
    assert_eq!(Message::length(&bytes[..FIXED]), Some(bytes.len()));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.kind, message.member.as_deref(), message.answers), (SIGNAL, Some("JobRemoved"), None));
    assert_eq!(message.strings(), ["/job/5", "x.scope", "done"]);

    let bytes = incoming(
        ERROR,
        |fields| {
            fields.structure().byte(REPLY_SERIAL).signature("u").u32(9);
            fields.structure().byte(ERROR_NAME).signature("s").string("a.Failed");
        },
        |_| (),
    );
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.answers, message.error.as_deref()), (Some(9), Some("a.Failed")));
    assert_eq!(message.strings(), Vec::<&str>::new());
}

#[test]
fn what_is_no_message_is_refused() {
    let whole = incoming(
        SIGNAL,
        |fields| {
            fields.structure().byte(MEMBER).signature("s").string("X");
        },
        |body| {
            body.string("text");
        },
    );
    for cut in 0..whole.len() {
        // Without a panic, whatever is missing.
        let _ = Message::parse(&whole[..cut]).map(|message| message.strings().len());
        let _ = Message::length(&whole[..cut]);
    }
    for index in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut other = whole.clone();
            other[index] = byte;
            let _ = Message::parse(&other).map(|message| message.strings().len());
            let _ = Message::length(&other);
        }
    }
    let mut big_endian = whole.clone();
    big_endian[0] = b'B';
    let mut huge = whole;
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!([Message::length(&big_endian), Message::length(&huge)], [None, None]);
}
