//! A service that `dormouse` reports to, on loopback.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What it answers: a status and a body; for a redirection (3xx) the body is the URL.
pub type Answer = (u16, String);

/// A service; it lives as long as the test.
pub struct Service {
    pub url: String,
    requests: Receiver<Request>,
}

impl Service {
    /// One that answers every request with what `answer` makes of it.
    pub fn new(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answer, &sender);
            }
        });
        Self { url, requests }
    }

    /// One that takes everything.
    pub fn agreeable() -> Self {
        Self::new(|_| (200, "{}".to_owned()))
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }

    /// The next request.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn serve(stream: TcpStream, answer: &impl Fn(&Request) -> Answer, sender: &Sender<Request>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let Some((method, rest)) = line.trim_end().split_once(' ') else { return };
    let (path, version) = rest.rsplit_once(' ').unwrap();
    assert_eq!(version, "HTTP/1.1");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let request = Request { method: method.to_owned(), path: path.to_owned(), headers, body };
    let (status, text) = answer(&request);
    sender.send(request).ok();
    let mut stream = reader.into_inner();
    let location = if (300..400).contains(&status) { format!("Location: {text}\r\n") } else { String::new() };
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n{location}Connection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(format!("{head}{text}").as_bytes()).ok();
}
