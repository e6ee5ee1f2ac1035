//! A middlebox between rebal and the simulated exchange: it breaks what the simulator cannot.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::world;

/// What happens to a request.
pub(crate) enum Act {
    /// These bytes come back; the exchange never sees it.
    Raw(Vec<u8>),
    /// These bytes come back, and then nothing more while the connection stays open.
    RawThenSilence(Vec<u8>),
    /// These bytes come back one at a time, with a pause after each.
    Dribble(Vec<u8>, Duration),
    /// Delivered twice; the first answer comes back.
    Twice,
    /// The connection closes now; the request waits for [`Proxy::deliver`].
    Later,
    /// Delivered, its answer's body changed.
    Edit(Box<dyn Fn(&str) -> String + Send + Sync>),
    /// Something happens first, then it is delivered as usual.
    Before(Box<dyn Fn() + Send + Sync>),
    /// Delivered, and something happens before its answer comes back.
    After(Box<dyn Fn() + Send + Sync>),
}

impl Act {
    /// An answer with this status line and body.
    pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Act {
        Act::Raw(answer(status, headers, body))
    }

    pub(crate) fn edit(change: impl Fn(&str) -> String + Send + Sync + 'static) -> Act {
        Act::Edit(Box::new(change))
    }

    pub(crate) fn before(event: impl Fn() + Send + Sync + 'static) -> Act {
        Act::Before(Box::new(event))
    }

    pub(crate) fn after(event: impl Fn() + Send + Sync + 'static) -> Act {
        Act::After(Box::new(event))
    }
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

struct Rule {
    matches: String,
    nth: usize,
    times: usize,
    seen: usize,
    act: Arc<Act>,
}

#[derive(Default)]
struct Shared {
    rules: Vec<Rule>,
    log: Vec<String>,
    held: Vec<(String, Vec<u8>)>,
    down: bool,
}

/// The middlebox. Its threads end with the test process.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    exchange: String,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    pub(crate) fn before(exchange: &str) -> Proxy {
        Proxy::at("127.0.0.1:0", exchange)
    }

    pub(crate) fn at(address: &str, exchange: &str) -> Proxy {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Proxy { url, exchange: exchange.to_owned(), shared: Arc::default() };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let serving = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.shared().down {
                    return;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else { continue };
                thread::spawn(move || serving.serve(stream));
            }
        });
    }

    /// From the `nth` request on that begins with `matches` (method and path), `times` in a row.
    pub(crate) fn on(&self, matches: &str, nth: usize, times: usize, act: Act) -> &Proxy {
        let rule = Rule { matches: matches.to_owned(), nth, times, seen: 0, act: Arc::new(act) };
        self.shared().rules.push(rule);
        self
    }

    /// Every such request.
    pub(crate) fn always(&self, matches: &str, act: Act) -> &Proxy {
        self.on(matches, 1, usize::MAX, act)
    }

    pub(crate) fn clear(&self) {
        self.shared().rules.clear();
    }

    /// Method, path and query of every request so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.shared().log.clone()
    }

    pub(crate) fn count(&self, matches: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(matches)).count()
    }

    /// Delivers what was held back; how many that were.
    pub(crate) fn deliver(&self) -> usize {
        let held = std::mem::take(&mut self.shared().held);
        held.iter().for_each(|(head, body)| drop(self.forward(head, body)));
        held.len()
    }

    /// Nobody listens from now on.
    pub(crate) fn take_down(&self) {
        self.shared().down = true;
        // The listener notices with its next connection, which is this one.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }

    /// Somebody listens again, at the same address.
    pub(crate) fn bring_up(&self) {
        self.shared().down = false;
        self.clear();
        self.listen(TcpListener::bind(self.url.trim_start_matches("http://")).unwrap());
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = read_request(&mut stream)?;
        let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let act = self.strike(&line);
        let bytes = match act.as_deref() {
            None => self.forward(&head, &body),
            Some(Act::Raw(bytes)) => bytes.clone(),
            Some(Act::RawThenSilence(bytes)) => {
                stream.write_all(bytes).ok()?;
                // Until the client gives up.
                let _ = stream.read(&mut [0]);
                return None;
            }
            Some(Act::Dribble(bytes, pause)) => {
                for byte in bytes {
                    stream.write_all(&[*byte]).ok()?;
                    thread::sleep(*pause);
                }
                return None;
            }
            Some(Act::Twice) => {
                let first = self.forward(&head, &body);
                self.forward(&head, &body);
                first
            }
            Some(Act::Later) => {
                self.shared().held.push((head, body));
                return None;
            }
            Some(Act::Edit(change)) => edited(&self.forward(&head, &body), change),
            Some(Act::Before(event)) => {
                event();
                self.forward(&head, &body)
            }
            Some(Act::After(event)) => {
                let bytes = self.forward(&head, &body);
                event();
                bytes
            }
        };
        stream.write_all(&bytes).ok()
    }

    fn strike(&self, line: &str) -> Option<Arc<Act>> {
        let mut shared = self.shared();
        shared.log.push(line.to_owned());
        let mut due = None;
        for rule in &mut shared.rules {
            let path_ends = |rest: &str| rest.is_empty() || rest.starts_with('?');
            if !line.strip_prefix(&rule.matches).is_some_and(path_ends) {
                continue;
            }
            rule.seen += 1;
            let last = rule.nth.saturating_add(rule.times);
            if due.is_none() && (rule.nth..last).contains(&rule.seen) {
                due = Some(Arc::clone(&rule.act));
            }
        }
        due
    }

    /// Sends the request on, on a connection of its own, and returns the whole answer.
    fn forward(&self, head: &str, body: &[u8]) -> Vec<u8> {
        let mut parts = head.split(' ');
        let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let kept = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default().to_lowercase();
            matches!(name.as_str(), "x-mbx-apikey" | "content-type")
        };
        let headers: String = head.lines().filter(kept).map(|line| format!("{line}\r\n")).collect();
        let (head, body) = world::request(&self.exchange, method, path, &headers, body);
        [head.as_bytes(), &body].concat()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")
                    .and_then(|n| n.trim().parse::<usize>().ok())
            });
            let body = &bytes[end + 4..];
            if body.len() >= length.unwrap_or(0) {
                return Some((head, body.to_vec()));
            }
        }
        let read = stream.read(&mut piece).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn edited(bytes: &[u8], change: &(dyn Fn(&str) -> String + Send + Sync)) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").to_owned();
    let body = change(&String::from_utf8_lossy(&bytes[end..]));
    answer(&status, "Content-Type: application/json\r\n", body.as_bytes())
}
