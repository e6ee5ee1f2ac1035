//! Connections: requests in, answers out, and the ways in which a fault breaks them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::server::core::{Answer, Call, Core};
use crate::sim::fault::Action;

/// Larger bodies are refused.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long a cut answer waits before the connection closes, so that its first bytes get out.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// Accepts connections for ever. Dropping it drops them all.
pub(crate) async fn accept(
    listener: TcpListener,
    core: Arc<Mutex<Core>>,
    latency: Duration,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        // A connection that the peer gave up on before it was taken is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let core = Arc::clone(&core);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&core), latency));
            let builder = hyper::server::conn::http1::Builder::new();
            // An error here is a connection that a fault or the client broke.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by a fault")]
struct Closed;

async fn answer(
    request: Request<Incoming>,
    core: Arc<Mutex<Core>>,
    latency: Duration,
) -> Result<Response<Reply>, Closed> {
    let (head, body) = request.into_parts();
    let text = |value: Option<&hyper::header::HeaderValue>| {
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(respond(Answer::html(413, "Request Entity Too Large")));
    };
    let mut call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        body: body.to_bytes().to_vec(),
        api_key: text(head.headers.get("x-mbx-apikey")),
        late: Duration::ZERO,
        fault: None,
    };
    if call.path.starts_with("/sim/") {
        return Ok(respond(locked(&core).control(&call)));
    }
    let fault = locked(&core).strike(&call);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match &fault {
        Some(Action::Drop) => {
            locked(&core).note(&call, 0);
            return Err(Closed);
        }
        Some(Action::Reply { status, body }) => {
            locked(&core).note(&call, 0);
            return Ok(respond(Answer::raw(*status, body)));
        }
        Some(Action::Delay(span)) => {
            tokio::time::sleep(*span).await;
            call.late = *span;
        }
        _ => {}
    }
    call.fault = fault.clone();
    let answer = locked(&core).process(&call);
    match fault {
        Some(Action::AcceptThenClose) => Err(Closed),
        Some(Action::AcceptThenStall) => std::future::pending().await,
        Some(Action::Truncate(bytes)) => Ok(cut(answer, bytes)),
        _ => Ok(respond(answer)),
    }
}

/// The lock; a panic under it is a bug that must not hide behind a second one.
fn locked(core: &Mutex<Core>) -> std::sync::MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(answer: Answer) -> Response<Reply> {
    let body = Bytes::from(answer.body.clone());
    response(answer, Reply { left: Some(body), cut: None })
}

/// An answer announced in full of which only so many bytes come.
fn cut(answer: Answer, bytes: usize) -> Response<Reply> {
    let full = Bytes::from(answer.body.clone());
    let length = full.len();
    let part = full.slice(..bytes.min(length));
    let cut = (bytes < length).then(|| Box::pin(tokio::time::sleep(BEFORE_CUT)));
    let mut response = response(answer, Reply { left: Some(part), cut });
    response.headers_mut().insert(hyper::header::CONTENT_LENGTH, length.into());
    response
}

fn response(answer: Answer, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(answer.content));
    for (name, value) in answer.headers {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

/// The bytes of an answer, possibly fewer than announced.
struct Reply {
    left: Option<Bytes>,
    cut: Option<Pin<Box<Sleep>>>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if let Some(bytes) = self.left.take()
            && !bytes.is_empty()
        {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &mut self.cut {
            Some(wait) => wait.as_mut().poll(context).map(|()| Some(Err(Closed))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.left, &self.cut) {
            (Some(bytes), None) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            _ => SizeHint::default(),
        }
    }
}
