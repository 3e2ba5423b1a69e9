//! Moves the bytes of streams from pipe to pipe.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::limit::Limit;
use super::stream::Counter;

/// Pipes of 1 MiB, the most that an ordinary user may have (`/proc/sys/fs/pipe-max-size`):
/// fewer switches between sender, pump and ssh than with the usual 64 KiB.
pub const PIPE: usize = 1 << 20;

/// A stream is moved as it comes for so many bytes; of a longer one, much is moved at once. `zfs send` writes
/// record by record, and each would wake this process, which takes processor time from ssh.
const AT_ONCE: usize = 4 * PIPE;

/// The longest wait for more.
const GATHERING: Duration = Duration::from_millis(30);

/// Both ends of a big pipe. A smaller one is only slower, so a refused size does not matter.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    let _ = fcntl_setpipe_size(&write, PIPE);
    Ok((read, write))
}

/// Moves bytes from pipe to pipe without copying them through this process.
pub fn pump(from: &OwnedFd, to: &OwnedFd, counters: &[Counter], limit: Option<&Limit>) -> io::Result<()> {
    let portion = limit.map_or(PIPE, Limit::portion);
    let (mut total, mut last) = (0, Instant::now());
    loop {
        match splice(from, None, to, None, portion, SpliceFlags::MOVE) {
            Ok(0) => return Ok(()),
            Ok(moved) => {
                counters.iter().for_each(|counter| {
                    counter.fetch_add(moved as u64, Ordering::Relaxed);
                });
                let now = Instant::now();
                let passed = now.duration_since(std::mem::replace(&mut last, now));
                total += moved;
                std::thread::sleep(match limit {
                    Some(limit) => limit.rest(moved, now),
                    None if total > AT_ONCE => gathering(moved, passed),
                    None => Duration::ZERO,
                });
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// In which time half a pipe comes together, if `moved` bytes came in the time that has passed. Meanwhile the
/// pipe that they were moved to is half full still, and nobody waits.
fn gathering(moved: usize, passed: Duration) -> Duration {
    let share = (PIPE / 2) as f64 / moved as f64;
    passed.mul_f64(share).min(GATHERING)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use super::*;

    #[test]
    fn half_a_pipe_is_waited_for_and_no_longer() {
        let millis = Duration::from_millis;
        assert_eq!(gathering(PIPE / 16, millis(2)), millis(16));
        assert_eq!(gathering(PIPE, millis(8)), millis(4), "the sender had to wait");
        assert_eq!(gathering(1, Duration::from_secs(9)), GATHERING);
    }

    #[test]
    fn a_long_stream_arrives_whole() {
        let sent: Vec<u8> = (0..AT_ONCE + 3 * PIPE + 1).map(|at| (at % 251) as u8).collect();
        let ((from, begin), (end, to)) = (pipe().unwrap(), pipe().unwrap());
        let (counter, mut received) = (Counter::default(), Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| std::fs::File::from(begin).write_all(&sent).unwrap());
            scope.spawn(|| {
                pump(&from, &to, std::slice::from_ref(&counter), None).unwrap();
                drop(to);
            });
            std::fs::File::from(end).read_to_end(&mut received).unwrap();
        });
        assert!(received == sent);
        assert_eq!(counter.load(Ordering::Relaxed), sent.len() as u64);
    }
}
