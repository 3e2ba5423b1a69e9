//! Streams on their way: `zfs send` here, `zfs receive` there, the bytes counted in between.
//!
//! Several streams may follow each other over one channel: `zfs receive` reads exactly its own and
//! leaves the rest in the pipe to the next one.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::error::Error;
use crate::exec::{self, Exec, Finished, Process};
use crate::zfs::stderr::{Meaning, meaning};

/// Pipes of 1 MiB, the most that an ordinary user may have (`/proc/sys/fs/pipe-max-size`):
/// fewer switches between sender, pump and ssh than with the usual 64 KiB.
const PIPE: usize = 1 << 20;

/// How many bytes have passed; read while the stream runs.
pub type Counter = Arc<AtomicU64>;

/// A stream that did not reach its end. The first cause is named, not its echoes: a receiver
/// that misses the end of its stream is not to blame for it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// `zfs send` failed.
    #[error("zfs send failed on this host: {0}")]
    Send(String),
    /// The connection failed.
    #[error("the connection to the archiver broke: {0}")]
    Connection(String),
    /// `zfs receive` failed.
    #[error("zfs receive failed on the archiver: {text}")]
    Receive {
        /// What it said.
        text: String,
        /// What that means, if known.
        meaning: Option<Meaning>,
    },
    /// The stream could not be set up.
    #[error(transparent)]
    Setup(#[from] Error),
}

/// One `zfs send`, and the counters of its bytes.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The command line.
    pub argv: Vec<String>,
    /// Count what it sends.
    pub counters: Vec<Counter>,
}

/// Runs the senders one after the other into one receiving end, which takes as many streams;
/// returns when all have ended.
///
/// # Errors
/// Who failed first. What follows it was not sent.
pub async fn run(exec: Exec, sendings: Vec<Sending>, receive: &[String]) -> Result<(), Broken> {
    let (receive_end, to_receive) = pipe().map_err(Error::System)?;
    let receiver = exec.stream(receive, Some(receive_end), None).map_err(Error::Program)?;
    let carried = carry(exec, sendings, to_receive).await;
    let received = receiver.wait().await.map_err(Error::Program)?;
    let sent = carried?;
    verdict(&sent, &received)
}

/// How the sending went.
enum Sent {
    /// All was sent.
    All,
    /// A sender failed.
    Failed(Finished),
    /// Nobody took what was sent.
    Unwanted,
}

async fn carry(exec: Exec, sendings: Vec<Sending>, to_receive: OwnedFd) -> Result<Sent, Broken> {
    let to_receive = Arc::new(to_receive);
    let mut sendings = sendings.into_iter();
    let start = |sending: Sending| Started::new(exec, sending);
    let mut next = sendings.next().map(start).transpose()?;
    while let Some(Started { process, output, counters }) = next.take() {
        // The next one starts meanwhile: what it has to say waits in its pipe.
        next = sendings.next().map(start).transpose()?;
        let to = Arc::clone(&to_receive);
        let pump = tokio::task::spawn_blocking(move || pump(&output, &to, &counters));
        let pumped = pump.await.map_err(io::Error::other).and_then(|result| result);
        let finished = process.wait().await.map_err(Error::Program)?;
        match pumped {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Sent::Unwanted),
            Err(error) => return Err(Error::System(error).into()),
            Ok(()) if finished.status.success() => {}
            Ok(()) => return Ok(Sent::Failed(finished)),
        }
    }
    Ok(Sent::All)
}

/// A sender that runs.
struct Started {
    process: Process,
    output: OwnedFd,
    counters: Vec<Counter>,
}

impl Started {
    fn new(exec: Exec, Sending { argv, counters }: Sending) -> Result<Self, Broken> {
        let (output, send_end) = pipe().map_err(Error::System)?;
        let process = exec.stream(&argv, None, Some(send_end)).map_err(Error::Program)?;
        Ok(Self { process, output, counters })
    }
}

/// Both ends of a big pipe. A smaller one is only slower, so a refused size does not matter.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let _ = fcntl_setpipe_size(&write, PIPE);
    Ok((read, write))
}

/// Moves bytes from pipe to pipe without copying them through this process.
fn pump(from: &OwnedFd, to: &OwnedFd, counters: &[Counter]) -> io::Result<()> {
    loop {
        match splice(from, None, to, None, PIPE, SpliceFlags::MOVE) {
            Ok(0) => return Ok(()),
            Ok(moved) => counters.iter().for_each(|counter| {
                counter.fetch_add(moved as u64, Ordering::Relaxed);
            }),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Who failed first.
fn verdict(sent: &Sent, received: &Finished) -> Result<(), Broken> {
    if received.status.code() == Some(255) {
        return Err(Broken::Connection(exec::text(&received.stderr)));
    }
    match sent {
        // A sender that dies of SIGPIPE only lost its receiver.
        Sent::Failed(sender) if sender.status.signal() != Some(13) => {
            return Err(Broken::Send(exec::text(&sender.stderr)));
        }
        Sent::All if received.status.success() => return Ok(()),
        Sent::All | Sent::Failed(_) | Sent::Unwanted => {}
    }
    Err(Broken::Receive { text: exec::text(&received.stderr), meaning: meaning(&received.stderr) })
}
