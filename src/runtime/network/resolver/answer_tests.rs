//! What is answered to whom, and that nothing which comes in does harm.

use super::super::directory::Directory;
use super::super::names::Entry;
use super::*;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Question};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

fn entry(id: &str, addresses: &[&str], names: &[&str]) -> Entry {
    Entry {
        container: id.into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        names: names.iter().map(ToString::to_string).collect(),
    }
}

fn zone(forwards: bool) -> Zone {
    let backend = Directory::of(&[
        entry("1", &["10.1.0.1", "fd00::1"], &["shop-web-1", "web", "aaaaaaaaaaaa"]),
        entry("2", &["10.1.0.2"], &["Shop-Web-2", "web", "bbbbbbbbbbbb"]),
        entry("3", &["10.1.0.3"], &["db.internal"]),
    ]);
    let front =
        Directory::of(&[entry("1", &["10.2.0.1"], &["shop-web-1", "web"]), entry("4", &["fd02::4"], &["only-six"])]);
    let networks = vec![("backend".into(), Arc::new(backend)), ("Front.End".into(), Arc::new(front))];
    Zone::new(&[("host.docker.internal".into(), [10, 1, 0, 254].into())], networks, forwards)
}

fn ask(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 0x1234;
    message.metadata.recursion_desired = true;
    message.add_query(Question::query(name.parse().unwrap(), kind));
    message
}

fn answered(message: &Message) -> Message {
    match answer(&zone(false), &message.to_vec().unwrap(), Transport::Udp) {
        Verdict::Reply(reply) => Message::from_vec(&reply).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The code of the answer and what it has, without its order.
fn look_up(name: &str, kind: RecordType) -> (ResponseCode, BTreeSet<String>) {
    let reply = answered(&ask(name, kind));
    assert_eq!((reply.metadata.id, reply.metadata.message_type), (0x1234, MessageType::Response));
    assert!(reply.metadata.recursion_desired && reply.metadata.recursion_available && !reply.metadata.truncation);
    assert_eq!(reply.queries, ask(name, kind).queries);
    assert!(reply.answers.iter().all(|record| record.name == reply.queries[0].name && record.ttl == TTL));
    (reply.metadata.response_code, reply.answers.iter().map(|record| record.data.to_string()).collect())
}

#[test]
fn containers_are_found_by_every_name_in_every_network() {
    use RecordType as Type;
    let cases: &[(&str, Type, &[&str])] = &[
        ("web.", Type::A, &["10.1.0.1", "10.1.0.2"]),
        ("WEB.", Type::A, &["10.1.0.1", "10.1.0.2"]),
        ("web.", Type::AAAA, &["fd00::1"]),
        ("shop-web-2.", Type::A, &["10.1.0.2"]),
        ("bbbbbbbbbbbb.", Type::A, &["10.1.0.2"]),
        ("web.backend.", Type::A, &["10.1.0.1", "10.1.0.2"]),
        ("web.front.end.", Type::A, &["10.2.0.1"]),
        ("db.internal.", Type::A, &["10.1.0.3"]),
        ("db.internal.backend.", Type::A, &["10.1.0.3"]),
        ("host.docker.internal.", Type::A, &["10.1.0.254"]),
        ("web.", Type::ANY, &["10.1.0.1", "10.1.0.2", "fd00::1"]),
        ("1.0.1.10.in-addr.arpa.", Type::PTR, &["shop-web-1.backend."]),
        ("2.0.1.10.IN-ADDR.ARPA.", Type::PTR, &["Shop-Web-2.backend."]),
        ("1.0.2.10.in-addr.arpa.", Type::PTR, &["shop-web-1.front.end."]),
        (
            "4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.d.f.ip6.arpa.",
            Type::PTR,
            &["only-six.front.end."],
        ),
        // Known, and without such records: nobody else is asked.
        ("db.internal.", Type::AAAA, &[]),
        ("only-six.", Type::A, &[]),
        ("web.", Type::MX, &[]),
        ("web.", Type::PTR, &[]),
        ("1.0.1.10.in-addr.arpa.", Type::A, &[]),
    ];
    for (name, kind, expected) in cases {
        let expected = expected.iter().map(ToString::to_string).collect();
        assert_eq!(look_up(name, *kind), (ResponseCode::NoError, expected), "{name} {kind}");
    }
}

#[test]
fn what_nobody_here_has_is_for_others() {
    for (name, kind) in [
        ("example.com.", RecordType::A),
        ("web.other.", RecordType::A),
        ("web.backend.example.com.", RecordType::A),
        (".", RecordType::NS),
        ("9.0.1.10.in-addr.arpa.", RecordType::PTR),
        ("1.10.in-addr.arpa.", RecordType::PTR),
        ("a\\.web.", RecordType::A),
    ] {
        assert_eq!(look_up(name, kind), (ResponseCode::ServFail, BTreeSet::new()), "{name}: an internal network");
        let packet = ask(name, kind).to_vec().unwrap();
        let verdict = answer(&zone(true), &packet, Transport::Udp);
        assert!(matches!(verdict, Verdict::Forward(_)), "{name}: {verdict:?}");
    }
}

#[test]
fn the_case_of_the_question_is_repeated() {
    // Clients mix the cases at random and look whether the answer has them, against who guesses.
    let mut packet = ask("web.", RecordType::A).to_vec().unwrap();
    packet[12..17].copy_from_slice(b"\x03wEB\0");
    let Verdict::Reply(reply) = answer(&zone(false), &packet, Transport::Udp) else { panic!("no reply") };
    assert_eq!(reply[12..17], packet[12..17]);
    assert_eq!(reply[7], 2, "answers");
}

#[test]
fn edns_is_answered_where_it_was_asked() {
    assert!(answered(&ask("web.", RecordType::A)).edns.is_none());
    let mut message = ask("web.", RecordType::A);
    message.edns = Some({
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns.set_dnssec_ok(true);
        edns
    });
    let edns = answered(&message).edns.unwrap();
    assert_eq!((edns.version(), edns.max_payload(), edns.flags().dnssec_ok), (0, 4096, true));
    message.edns.as_mut().unwrap().set_version(1);
    let reply = message.to_vec().unwrap();
    let Verdict::Reply(reply) = answer(&zone(true), &reply, Transport::Udp) else { panic!("no reply") };
    // The code has 12 bits, the upper eight in the option: BADVERS is 16.
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!((reply.metadata.response_code.low(), reply.edns.unwrap().rcode_high()), (0, 1));
}

#[test]
fn what_a_datagram_cannot_hold_is_cut_and_told() {
    let entries: Vec<_> = (0..250u8)
        .map(|number| Entry {
            container: number.to_string(),
            addresses: vec![[10, 0, 0, number].into()],
            names: vec!["web".into()],
        })
        .collect();
    let zone = Zone::new(&[], vec![("backend".into(), Arc::new(Directory::of(&entries)))], true);
    let look_up = |message: &Message, transport| {
        let Verdict::Reply(reply) = answer(&zone, &message.to_vec().unwrap(), transport) else { panic!("no reply") };
        (reply.len(), Message::from_vec(&reply).unwrap())
    };
    let mut message = ask("web.", RecordType::A);
    let (length, reply) = look_up(&message, Transport::Udp);
    assert!((400..=512).contains(&length) && reply.metadata.truncation, "{length}");
    assert!(!reply.answers.is_empty());
    message.edns = Some({
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        edns
    });
    let (length, reply) = look_up(&message, Transport::Udp);
    assert!((1000..=1232).contains(&length) && reply.metadata.truncation && reply.edns.is_some(), "{length}");
    message.edns.as_mut().unwrap().set_max_payload(4096);
    let (_, reply) = look_up(&message, Transport::Udp);
    assert!(reply.metadata.truncation, "250 records of 16 bytes, the question and the option");
    let (_, reply) = look_up(&message, Transport::Tcp);
    assert_eq!((reply.answers.len(), reply.metadata.truncation), (250, false));
}

/// The code of the reply to a packet; `None` for silence.
fn code(packet: &[u8]) -> Option<ResponseCode> {
    match answer(&zone(true), packet, Transport::Udp) {
        Verdict::Silence => None,
        Verdict::Reply(reply) => {
            assert_eq!(reply[..2], packet[..2]);
            Some(Message::from_vec(&reply).unwrap().metadata.response_code)
        }
        Verdict::Forward(_) => panic!("forwarded"),
    }
}

#[test]
fn malformed_queries_are_refused_and_answers_ignored() {
    let good = ask("web.", RecordType::A);
    let packet = good.to_vec().unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = packet.clone();
        change(&mut packet);
        packet
    };
    assert_eq!(code(&packet), Some(ResponseCode::NoError));
    assert_eq!(code(&[]), None);
    assert_eq!(code(&packet[..11]), None);
    assert_eq!(code(&changed(&|packet| packet[2] |= 0x80)), None, "an answer");
    for (what, packet) in [
        ("a header alone", packet[..12].to_vec()),
        ("cut short", packet[..packet.len() - 1].to_vec()),
        ("something behind it", changed(&|packet| packet.push(0))),
        ("no question", changed(&|packet| packet[5] = 0)),
        ("two questions", changed(&|packet| packet[5] = 2)),
        ("65,535 questions", changed(&|packet| packet[4..6].fill(0xff))),
        ("65,535 answers", changed(&|packet| packet[6..8].fill(0xff))),
        ("a name that points at itself", changed(&|packet| packet[12..14].copy_from_slice(&[0xc0, 12]))),
        ("too long", changed(&|packet| packet.resize(5000, 0))),
    ] {
        assert_eq!(code(&packet), Some(ResponseCode::FormErr), "{what}");
    }
    let mut other = good.clone();
    other.metadata.op_code = OpCode::Notify;
    assert_eq!(code(&other.to_vec().unwrap()), Some(ResponseCode::NotImp));
}

proptest! {
    #[test]
    fn garbage_gets_nothing_but_a_refusal(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(matches!(code(&packet), None | Some(ResponseCode::FormErr)));
    }

    #[test]
    fn a_damaged_query_does_no_harm(at in 0usize..60, byte in any::<u8>(), cut in 0usize..60) {
        let mut message = ask("web.backend.", RecordType::A);
        message.edns = Some(Edns::new());
        let mut packet = message.to_vec().unwrap();
        let length = packet.len();
        packet[at % length] = byte;
        packet.truncate(length - cut % length);
        if let Verdict::Reply(reply) = answer(&zone(true), &packet, Transport::Udp) {
            prop_assert!(reply.len() <= 512);
            prop_assert!(Message::from_vec(&reply).is_ok());
        }
    }

    #[test]
    fn only_the_answer_to_the_question_is_taken(packet in proptest::collection::vec(any::<u8>(), 0..200), id in any::<u16>()) {
        let query = Query::parse(&ask("example.com.", RecordType::A).to_vec().unwrap()).unwrap();
        // Whatever it says, it has the id; and when it says that all is well, the question.
        if let Some(code) = super::super::query::answers(&packet, id, &query) {
            prop_assert_eq!(&packet[..2], &id.to_be_bytes());
            prop_assert!(code != ResponseCode::NoError);
        }
    }
}
