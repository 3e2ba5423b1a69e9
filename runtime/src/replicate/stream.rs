//! One stream: `zfs send` here, `zfs receive` there, the bytes counted on their way.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::error::Error;
use crate::exec::{self, Exec, Finished};
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

/// Runs both ends and carries the bytes; returns when both have ended.
///
/// # Errors
/// Who failed first.
pub async fn run(exec: Exec, send: &[String], receive: &[String], counter: Counter) -> Result<(), Broken> {
    let (from_send, send_end) = pipe().map_err(Error::System)?;
    let (receive_end, to_receive) = pipe().map_err(Error::System)?;
    let receiver = exec.stream(receive, Some(receive_end), None).map_err(Error::Program)?;
    let sender = exec.stream(send, None, Some(send_end)).map_err(Error::Program)?;
    let pump = tokio::task::spawn_blocking(move || pump(&from_send, &to_receive, &counter));
    let pumped = pump.await.map_err(io::Error::other).and_then(|result| result);
    let sent = sender.wait().await.map_err(Error::Program)?;
    let received = receiver.wait().await.map_err(Error::Program)?;
    verdict(&sent, &received)?;
    pumped.map_err(|error| Broken::Setup(Error::System(error)))
}

/// Both ends of a big pipe. A smaller one is only slower, so a refused size does not matter.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let _ = fcntl_setpipe_size(&write, PIPE);
    Ok((read, write))
}

/// Moves bytes from pipe to pipe without copying them through this process.
fn pump(from: &OwnedFd, to: &OwnedFd, counter: &Counter) -> io::Result<()> {
    loop {
        match splice(from, None, to, None, PIPE, SpliceFlags::MOVE) {
            Ok(0) => return Ok(()),
            Ok(moved) => {
                counter.fetch_add(moved as u64, Ordering::Relaxed);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Who failed first. A sender that dies of SIGPIPE only lost its receiver.
fn verdict(sent: &Finished, received: &Finished) -> Result<(), Broken> {
    const SIGPIPE: i32 = 13;
    let lost_receiver = sent.status.signal() == Some(SIGPIPE);
    if received.status.code() == Some(255) {
        return Err(Broken::Connection(exec::text(&received.stderr)));
    }
    if !sent.status.success() && !lost_receiver {
        return Err(Broken::Send(exec::text(&sent.stderr)));
    }
    if received.status.success() && !lost_receiver {
        return Ok(());
    }
    Err(Broken::Receive { text: exec::text(&received.stderr), meaning: meaning(&received.stderr) })
}
