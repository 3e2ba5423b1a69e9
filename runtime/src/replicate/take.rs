//! A stream from the archiver.
//!
//! An archiver that an attacker controls sends what it likes, and `zfs receive` runs as root. So a stream is
//! inspected before `zfs receive` starts, and has a pipe of its own: a second stream in it would not be
//! inspected. `zfs receive` ends after the stream that its first record announced.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::pump::pipe;
use super::stream::{Bounds, Broken, Sending, Started, Way, patiently, verdict};
use crate::error::Error;
use crate::exec::{self, Exec, Finished};
use crate::zfs::begin::{self, Expected, Foreign, LENGTH, Record};

/// What an archiver is asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// This stream, for `zfs receive`.
    Stream(Expected),
    /// Files, for tar(1).
    Files,
}

/// Runs a sender on the archiver into a receiver on this host.
///
/// # Errors
/// [`Broken::Foreign`], before the receiver starts, when the archiver sends another stream than it was asked
/// for; otherwise the first failure.
pub async fn take(
    exec: Exec,
    sending: Sending,
    receiver: &[String],
    asked: &Asked,
    bounds: &Bounds,
) -> Result<(), Broken> {
    let counters = sending.counters.clone();
    let work = async {
        let mut started = Started::new(exec, sending)?;
        let mut record = Vec::new();
        if let Asked::Stream(expected) = asked {
            (started, record) = inspect(started, expected).await?;
        }
        let (receive_end, to_receive) = pipe().map_err(Error::System)?;
        let receiver = exec.stream(receiver, Some(receive_end), None).map_err(Error::Program)?;
        let to_receive = pass_on(to_receive, &record)?;
        let sent = started.drain(Arc::new(to_receive), bounds.limit.clone()).await?;
        verdict(Way::FromArchiver, &sent, &receiver.wait().await.map_err(Error::Program)?)
    };
    patiently(work, &counters, bounds.patience).await
}

/// Reads the first record, and compares it.
async fn inspect(started: Started, expected: &Expected) -> Result<(Started, Vec<u8>), Broken> {
    let Started { output, .. } = &started;
    let output = output.try_clone().map_err(Error::System)?;
    let reading = tokio::task::spawn_blocking(move || first(output));
    let read = reading.await.map_err(io::Error::other).and_then(|result| result).map_err(Error::System)?;
    started.counters.iter().for_each(|counter| {
        counter.fetch_add(read.len() as u64, Ordering::Relaxed);
    });
    match <&Record>::try_from(&read[..]) {
        Ok(record) => begin::check(record, expected)?,
        Err(_) => return Err(ended(&started.process.wait().await.map_err(Error::Program)?, read.len())),
    }
    Ok((started, read))
}

/// At most one record: what follows stays in the pipe.
fn first(from: OwnedFd) -> io::Result<Vec<u8>> {
    let mut read = Vec::with_capacity(LENGTH);
    File::from(from).take(LENGTH as u64).read_to_end(&mut read)?;
    Ok(read)
}

/// The reason for a stream that ends before its first record does.
fn ended(sender: &Finished, bytes: usize) -> Broken {
    let (way, text) = (Way::FromArchiver, exec::text(&sender.stderr));
    match sender.status.code() {
        Some(0) => Foreign::Short(bytes).into(),
        Some(255) => Broken::Connection(text),
        _ => Broken::Send { way, text },
    }
}

/// Gives the receiver what was inspected. A receiver that has ended is noticed by what follows.
fn pass_on(to: OwnedFd, record: &[u8]) -> Result<OwnedFd, Broken> {
    let mut to = File::from(to);
    match to.write_all(record) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::System(error).into()),
        _ => Ok(to.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream::Counter;
    use super::*;
    use crate::zfs::begin::tests::{expected, record};

    /// What a shell command sends, into another; how that ended, and how many bytes came.
    fn run(send: &str, receive: &str, asked: &Asked) -> (Result<(), Broken>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shell = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
        let counter = Counter::default();
        let sending = Sending { argv: shell(send), counters: vec![counter.clone()], claim: None };
        let (receiver, bounds) = (shell(receive), Bounds::default());
        let taken = take(Exec::default(), sending, &receiver, asked, &bounds);
        (runtime.block_on(taken), counter.load(Ordering::Relaxed))
    }

    /// A stream in a file, and the file that its receiver writes.
    fn stream(folder: &tempfile::TempDir, bytes: &[u8]) -> (String, String) {
        let [sent, received] = ["sent", "received"].map(|name| folder.path().join(name));
        std::fs::write(&sent, bytes).unwrap();
        (format!("cat '{}'", sent.display()), format!("cat >'{}'", received.display()))
    }

    #[test]
    fn what_was_asked_for_arrives_whole() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = [&record(&expected())[..], &[7; 3 << 20]].concat();
        let (send, receive) = stream(&folder, &bytes);
        let (ended, count) = run(&send, &receive, &Asked::Stream(expected()));
        assert!(ended.is_ok() && count == bytes.len() as u64, "{ended:?} {count}");
        assert!(std::fs::read(folder.path().join("received")).unwrap() == bytes);
    }

    #[test]
    fn nothing_is_started_for_a_stream_that_was_not_asked_for() {
        let mut package = record(&expected()).to_vec();
        package[16] = 2;
        let other = record(&begin::Expected { to: crate::zfs::Guid(9), ..expected() }).to_vec();
        for bytes in [package, other, vec![], vec![0; 100], vec![b'y'; 1 << 20]] {
            let folder = tempfile::tempdir().unwrap();
            let (send, receive) = stream(&folder, &bytes);
            let (ended, _) = run(&send, &receive, &Asked::Stream(expected()));
            assert!(matches!(ended, Err(Broken::Foreign(_))), "{ended:?}");
            assert!(!folder.path().join("received").exists(), "the receiver ran");
        }
    }

    #[test]
    fn the_first_failure_is_named() {
        let stream = Asked::Stream(expected());
        // A receiver that ends with its stream does not wait until its sender has ended.
        let (ended, bytes) = run("printf abc; sleep 0.3", "test \"$(head -c 3)\" = abc", &Asked::Files);
        assert!(ended.is_ok() && bytes == 3, "{ended:?} {bytes:?}");
        let lacking = "printf abc; sleep 0.3; echo lacking >&2; exit 2";
        for (asked, receive) in [(&Asked::Files, "head -c 3 >/dev/null"), (&stream, "touch /never")] {
            let (ended, _) = run(lacking, receive, asked);
            assert!(matches!(ended, Err(Broken::Send { text, .. }) if text == "lacking"));
            let (ended, _) = run("echo gone >&2; exit 255", "cat >/dev/null; exit 1", asked);
            assert!(matches!(ended, Err(Broken::Connection(text)) if text == "gone"));
        }
        let (ended, _) = run("yes", "echo full >&2; exit 255", &Asked::Files);
        assert_eq!(ended.unwrap_err().to_string(), "zfs receive failed on this host: full");
    }
}
