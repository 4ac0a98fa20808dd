//! An HTTP proxy that takes every name for this machine, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A proxy on a loopback port; gone when dropped.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = seen.clone();
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let mut first = [0; 4];
                // Its own drop says so, on a connection of its own.
                if client.peek(&mut first).unwrap_or(0) == 0 {
                    return;
                }
                let lines = lines.clone();
                std::thread::spawn(move || serve(client, &lines));
            }
        });
        Self { address, seen, thread: Some(thread) }
    }

    /// For `HTTP_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first lines of what was asked, one a connection.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(TcpStream::connect(self.address));
        let _ = self.thread.take().unwrap().join();
    }
}

/// `CONNECT host:port`, or a request with an absolute address, which is handed on as it is.
fn serve(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap().to_owned();
    let target = line.split(' ').nth(1).unwrap().trim_start_matches("http://");
    let port: u16 = target.split('/').next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    seen.lock().unwrap().push(line.clone());
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    if line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    } else {
        server.write_all(&head).unwrap();
    }
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let there = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = there.join();
}
