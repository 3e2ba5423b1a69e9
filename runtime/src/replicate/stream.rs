//! Streams on their way: `zfs send` at one end, `zfs receive` at the other, the bytes counted in between.
//!
//! To the archiver several streams may follow each other over one channel: `zfs receive` reads exactly its own
//! and leaves the rest in the pipe to the next one. From the archiver each stream has a pipe of its own, and is
//! inspected: [`super::take`].

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::limit::Limit;
use super::pump::{pipe, pump};
use crate::error::Error;
use crate::exec::{self, Exec, Finished, Process};
use crate::zfs::begin::Foreign;
use crate::zfs::stderr::{Meaning, meaning};

/// How often to look whether anything moves.
const LOOK: Duration = Duration::from_secs(5);

/// How many bytes have passed; read while the stream runs.
pub type Counter = Arc<AtomicU64>;

/// Who has a stream: the channel that sends it, or the scheduler that moves it to another channel. The first
/// claim counts.
#[derive(Clone, Debug, Default)]
pub struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Claims it; whether that was the first claim.
    #[must_use]
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// Which way streams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From this host to the archiver.
    ToArchiver,
    /// From the archiver to this host.
    FromArchiver,
}

impl Way {
    fn sender(self) -> &'static str {
        match self {
            Self::ToArchiver => "on this host",
            Self::FromArchiver => "on the archiver",
        }
    }

    fn receiver(self) -> &'static str {
        match self {
            Self::ToArchiver => Self::FromArchiver.sender(),
            Self::FromArchiver => Self::ToArchiver.sender(),
        }
    }
}

/// A stream that did not reach its end. The first cause is named, not its echoes: a receiver
/// that misses the end of its stream is not to blame for it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// `zfs send` failed.
    #[error("zfs send failed {}: {text}", way.sender())]
    Send {
        /// Where to.
        way: Way,
        /// What it said.
        text: String,
    },
    /// What the streams go through failed.
    #[error("zstd failed {}: {text}", way.sender())]
    Filter {
        /// Where to.
        way: Way,
        /// What it said.
        text: String,
    },
    /// The connection failed.
    #[error("the connection to the archiver broke: {0}")]
    Connection(String),
    /// `zfs receive` failed.
    #[error("zfs receive failed {}: {text}", way.receiver())]
    Receive {
        /// Where to.
        way: Way,
        /// What it said.
        text: String,
        /// What that means, if known.
        meaning: Option<Meaning>,
    },
    /// The archiver sent something other than the stream that was asked for. `zfs receive` was not started.
    #[error("nothing was received: the archiver {0}")]
    Foreign(#[from] Foreign),
    /// Nothing moved any more.
    #[error("nothing moved for {} min, so the transfer was given up", .0.as_secs().div_ceil(60))]
    Stalled(Duration),
    /// The stream could not be set up.
    #[error(transparent)]
    Setup(#[from] Error),
}

/// Bounds of a transfer.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long nothing may move before both ends are given up. A send may search for a while
    /// before it has something to say, and a receive may free blocks before it takes more.
    pub patience: Duration,
    /// Keeps all streams together below a rate.
    pub limit: Option<Arc<Limit>>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { patience: Duration::from_secs(3600), limit: None }
    }
}

/// One `zfs send`, and the counters of its bytes.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The command line.
    pub argv: Vec<String>,
    /// Count what it sends.
    pub counters: Vec<Counter>,
    /// Claimed before it starts, if it may move to another channel. The channel ends at one that has moved.
    pub claim: Option<Claim>,
}

/// What takes the streams.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// The command line.
    pub argv: Vec<String>,
    /// What they go through after they were counted, if anything.
    pub filter: Option<Vec<String>>,
    /// Gets each line that it prints, if anybody listens.
    pub told: Option<UnboundedSender<String>>,
}

impl Receiving {
    /// Takes them as they are.
    #[must_use]
    pub fn of(argv: Vec<String>) -> Self {
        Self { argv, filter: None, told: None }
    }

    /// Starts it, with the filter before it.
    fn start(&self, exec: Exec, mut from: OwnedFd) -> Result<(Option<Process>, Process), Broken> {
        let mut filter = None;
        if let Some(argv) = &self.filter {
            let (filtered, to) = pipe().map_err(Error::System)?;
            filter = Some(exec.stream(argv, Some(from), Some(to)).map_err(Error::Program)?);
            from = filtered;
        }
        let receiver = match self.told.clone() {
            Some(told) => exec.telling(&self.argv, from, told),
            None => exec.stream(&self.argv, Some(from), None),
        };
        Ok((filter, receiver.map_err(Error::Program)?))
    }
}

/// Runs the senders one after the other into one receiving end on the archiver, which takes as many streams;
/// returns when all have ended.
///
/// # Errors
/// Who failed first. What follows it was not sent.
pub async fn run(
    exec: Exec,
    sendings: Vec<Sending>,
    receiving: &Receiving,
    bounds: &Bounds,
) -> Result<(), Broken> {
    let way = Way::ToArchiver;
    let counters: Vec<Counter> = sendings.iter().flat_map(|sending| sending.counters.clone()).collect();
    let work = async {
        let (receive_end, to_receive) = pipe().map_err(Error::System)?;
        let (filter, receiver) = receiving.start(exec, receive_end)?;
        let carried = carry(exec, sendings, to_receive, bounds.limit.clone()).await;
        let received = receiver.wait().await.map_err(Error::Program)?;
        if let Some(filter) = filter {
            let filtered = filter.wait().await.map_err(Error::Program)?;
            // One that dies of SIGPIPE only lost its receiver.
            if filtered.status.code().is_some_and(|code| code != 0) {
                return Err(Broken::Filter { way, text: exec::text(&filtered.stderr) });
            }
        }
        verdict(way, &carried?, &received)
    };
    patiently(work, &counters, bounds.patience).await
}

/// Gives work up when no counter has moved for so long.
pub(super) async fn patiently(
    work: impl Future<Output = Result<(), Broken>>,
    counters: &[Counter],
    patience: Duration,
) -> Result<(), Broken> {
    tokio::select! {
        result = work => result,
        () = stalls(counters, patience) => Err(Broken::Stalled(patience)),
    }
}

/// Returns when no counter has moved for so long.
async fn stalls(counters: &[Counter], patience: Duration) {
    let sum = || counters.iter().map(|counter| counter.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
    let (mut last, mut since) = (sum(), Instant::now());
    while since.elapsed() < patience {
        tokio::time::sleep(patience.min(LOOK)).await;
        let now = sum();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// How the sending went.
pub(super) enum Sent {
    /// All was sent that has not moved to another channel.
    All,
    /// A sender failed.
    Failed(Finished),
    /// The receiver ended first. It may have had enough: splice(2) to a pipe that nobody reads is refused
    /// even when there is nothing left to move.
    Unwanted(Finished),
}

async fn carry(
    exec: Exec,
    sendings: Vec<Sending>,
    to_receive: OwnedFd,
    limit: Option<Arc<Limit>>,
) -> Result<Sent, Broken> {
    let to_receive = Arc::new(to_receive);
    let mut sendings = sendings.into_iter();
    let start = |sending: Sending| Started::new(exec, sending);
    let mut next = sendings.next().map(start).transpose()?;
    while let Some(started) = next.take() {
        if started.claim.as_ref().is_some_and(|claim| !claim.take()) {
            return Ok(Sent::All);
        }
        // The next one starts meanwhile: what it has to say waits in its pipe.
        next = sendings.next().map(start).transpose()?;
        match started.drain(Arc::clone(&to_receive), limit.clone()).await? {
            Sent::All => {}
            ended => return Ok(ended),
        }
    }
    Ok(Sent::All)
}

/// A sender that runs.
pub(super) struct Started {
    pub process: Process,
    pub output: OwnedFd,
    pub counters: Vec<Counter>,
    claim: Option<Claim>,
}

impl Started {
    pub fn new(exec: Exec, Sending { argv, counters, claim }: Sending) -> Result<Self, Broken> {
        let (output, send_end) = pipe().map_err(Error::System)?;
        let process = exec.stream(&argv, None, Some(send_end)).map_err(Error::Program)?;
        Ok(Self { process, output, counters, claim })
    }

    /// Moves what it sends until it ends.
    pub async fn drain(self, to: Arc<OwnedFd>, limit: Option<Arc<Limit>>) -> Result<Sent, Broken> {
        let Self { process, output, counters, .. } = self;
        let pump = tokio::task::spawn_blocking(move || pump(&output, &to, &counters, limit.as_deref()));
        let pumped = pump.await.map_err(io::Error::other).and_then(|result| result);
        let finished = process.wait().await.map_err(Error::Program)?;
        match pumped {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Sent::Unwanted(finished)),
            Err(error) => Err(Error::System(error).into()),
            Ok(()) if finished.status.success() => Ok(Sent::All),
            Ok(()) => Ok(Sent::Failed(finished)),
        }
    }
}

/// Who failed first. ssh(1), at the archiver's end, ends with 255 when the connection failed.
pub(super) fn verdict(way: Way, sent: &Sent, received: &Finished) -> Result<(), Broken> {
    if way == Way::ToArchiver && received.status.code() == Some(255) {
        return Err(Broken::Connection(exec::text(&received.stderr)));
    }
    match sent {
        Sent::Failed(sender) if way == Way::FromArchiver && sender.status.code() == Some(255) => {
            return Err(Broken::Connection(exec::text(&sender.stderr)));
        }
        // A sender that dies of SIGPIPE only lost its receiver.
        Sent::Failed(sender) if sender.status.signal() != Some(13) => {
            return Err(Broken::Send { way, text: exec::text(&sender.stderr) });
        }
        // What the receiver did not wait for may still say that something is missing.
        Sent::Unwanted(sender) if received.status.success() => {
            let is_lost = sender.status.signal() == Some(13) || sender.status.code() == Some(255);
            if sender.status.success() || is_lost {
                return Ok(());
            }
            return Err(Broken::Send { way, text: exec::text(&sender.stderr) });
        }
        Sent::All if received.status.success() => return Ok(()),
        Sent::All | Sent::Failed(_) | Sent::Unwanted(_) => {}
    }
    Err(Broken::Receive { way, text: exec::text(&received.stderr), meaning: meaning(&received.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hung = ["sh", "-c", "exec sleep 60"].map(str::to_owned);
        let sending = Sending { argv: hung.to_vec(), counters: vec![Counter::default()], claim: None };
        let bounds = Bounds { patience: Duration::from_millis(50), limit: None };
        let ended = runtime.block_on(run(
            Exec::default(),
            vec![sending],
            &Receiving::of(vec!["cat".to_owned()]),
            &bounds,
        ));
        assert!(matches!(ended, Err(Broken::Stalled(_))), "{ended:?}");
    }

    #[test]
    fn a_stream_that_moved_to_another_channel_is_not_sent_twice() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let claims = [(); 3].map(|()| Claim::default());
        let sending = |claim: &Claim| Sending {
            argv: ["echo", "sent"].map(str::to_owned).to_vec(),
            counters: vec![Counter::default()],
            claim: Some(claim.clone()),
        };
        let sendings: Vec<Sending> = claims.iter().map(sending).collect();
        let counters: Vec<Counter> = sendings.iter().map(|sending| sending.counters[0].clone()).collect();
        assert!(claims[1].take() && !claims[1].take());
        let receiving = Receiving::of(["sh", "-c", "test \"$(cat)\" = sent"].map(str::to_owned).to_vec());
        let ended = runtime.block_on(run(Exec::default(), sendings, &receiving, &Bounds::default()));
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(counters.iter().map(|each| each.load(Ordering::Relaxed)).collect::<Vec<_>>(), [5, 0, 0]);
        assert!(!claims[0].take() && claims[2].take(), "the channel has claimed what it has sent");
    }

    #[test]
    fn each_receiver_gets_its_stream_and_the_first_failure_is_named() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sending = |script: &str| Sending {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            counters: vec![Counter::default()],
            claim: None,
        };
        let run = |sends: &[&str], receive: &str| {
            let receive = Receiving::of(["sh", "-c", receive].map(str::to_owned).to_vec());
            let sends: Vec<Sending> = sends.iter().map(|script| sending(script)).collect();
            let counters: Vec<Counter> = sends.iter().map(|sending| sending.counters[0].clone()).collect();
            let ended = runtime.block_on(run(Exec::default(), sends, &receive, &Bounds::default()));
            (ended, counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect::<Vec<_>>())
        };
        let (ended, bytes) = run(&["printf abc", "printf de"], "test \"$(cat)\" = abcde");
        assert!(ended.is_ok() && bytes == [3, 2], "{ended:?} {bytes:?}");
        let (ended, bytes) = run(&["printf abc; echo no >&2; exit 1", "printf de"], "cat >/dev/null");
        assert!(matches!(ended, Err(Broken::Send { text, .. }) if text == "no") && bytes[1] == 0);
        let (ended, _) = run(&["yes"], "echo full >&2; exit 1");
        assert!(matches!(ended, Err(Broken::Receive { text, .. }) if text == "full"));
        let (ended, _) = run(&["yes"], "echo gone >&2; exit 255");
        assert!(matches!(ended, Err(Broken::Connection(text)) if text == "gone"));
    }
}
