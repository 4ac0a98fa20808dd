//! Servers of others, and what can be wrong with them.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a server does with a query.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Answers with an address.
    Answer(Ipv4Addr),
    /// The same, after a while.
    Slow(Duration, Ipv4Addr),
    /// Over UDP it says that the answer is too long.
    Truncated(Ipv4Addr),
    /// Takes it and says nothing.
    Silent,
    /// Answers with a code.
    Fails(ResponseCode),
    /// Answers another query, as somebody who guesses.
    WrongId,
    /// Answers another question.
    WrongQuestion,
    /// Says what is no message.
    Garbage,
}

impl Behaviour {
    fn answer(self, query: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let mut answer = Message::from_vec(query).unwrap().into_response();
        let mut add = |address: Ipv4Addr| {
            let name = answer.queries[0].name().clone();
            answer.add_answer(Record::from_rdata(name, 60, RData::A(A(address))));
        };
        match self {
            Self::Silent => return None,
            Self::Garbage => return Some(vec![0x5a; 40]),
            Self::Answer(address) => add(address),
            Self::Slow(pause, address) => {
                std::thread::sleep(pause);
                add(address);
            }
            Self::Truncated(address) if over_tcp => add(address),
            Self::Truncated(_) => answer.metadata.truncation = true,
            Self::Fails(code) => answer.metadata.response_code = code,
            Self::WrongId => {
                add(Ipv4Addr::new(6, 6, 6, 6));
                answer.metadata.id ^= 1;
            }
            Self::WrongQuestion => {
                add(Ipv4Addr::new(6, 6, 6, 6));
                answer.queries[0].set_name("example.net.".parse().unwrap());
            }
        }
        Some(answer.to_vec().unwrap())
    }
}

/// A server on port 53 of an address, until the test ends.
pub struct Server(Arc<AtomicUsize>);

impl Server {
    /// In the network namespace of this thread.
    pub fn start(address: IpAddr, behaviour: Behaviour) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let (udp, tcp) = (UdpSocket::bind((address, 53)).unwrap(), TcpListener::bind((address, 53)).unwrap());
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 4096];
            while let Ok((length, client)) = udp.recv_from(&mut query) {
                count.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = behaviour.answer(&query[..length], false) {
                    udp.send_to(&answer, client).unwrap();
                }
            }
        });
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            // Silence keeps the connection.
            let mut kept = Vec::new();
            while let Ok((mut client, _)) = tcp.accept() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut length = [0; 2];
                client.read_exact(&mut length).unwrap();
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                client.read_exact(&mut query).unwrap();
                if let Some(answer) = behaviour.answer(&query, true) {
                    let length = (answer.len() as u16).to_be_bytes();
                    let _ = client.write_all(&length).and_then(|()| client.write_all(&answer));
                }
                kept.push(client);
            }
        });
        Self(asked)
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
