//! What a process prints, line by line and within bounds.
//!
//! An archiver may be hostile: `zfs list` there can print for as long as the deadline lasts, or one line
//! without an end. [`super::Exec`] reads stdout only through here, so no caller can forget the bounds.

use std::fmt;
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The longest line, in bytes. A property's value has at most 8 KiB, a dataset's name 255 bytes, a path 4 KiB.
const LINE: usize = 64 * 1024;

/// Most lines of one command. A listing of 20,000 datasets with 40 snapshots each has 820,000, and a host may
/// have a million snapshots. Each line becomes an entry in memory, which may be bigger than the line.
const LINES: usize = 2 * 1024 * 1024;

/// Most bytes of one command. The same listing has 290 MB if each name is as long as ZFS allows and each
/// number has 20 digits, and 80 MB with usual names.
const BYTES: usize = 512 * 1024 * 1024;

/// A bound of what a process may print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The length of a line.
    Line,
    /// The number of lines.
    Lines,
    /// The number of bytes.
    Bytes,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => write!(f, "a line longer than {} KiB", LINE / 1024),
            Self::Lines => write!(f, "more than {} million lines", LINES / 1_000_000),
            Self::Bytes => write!(f, "more than {} MiB", BYTES / (1024 * 1024)),
        }
    }
}

/// What ends the reading before the output does.
#[derive(Debug)]
pub enum Ended {
    /// The process printed more than it may.
    TooMuch(Bound),
    /// The output cannot be read, or is not UTF-8.
    Unreadable(io::Error),
}

/// The lines of an output.
#[derive(Debug)]
pub struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    lines: usize,
    bytes: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines that come out of this.
    pub fn of(from: R) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), lines: 0, bytes: 0 }
    }

    /// The next line, without its end; none at the end of the output.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn next(&mut self) -> Result<Option<&str>, Ended> {
        self.line.clear();
        let mut bounded = (&mut self.from).take(LINE as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.line).await.map_err(Ended::Unreadable)?;
        if read == 0 {
            return Ok(None);
        }
        self.count(read)?;
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let invalid = |error| Ended::Unreadable(io::Error::new(io::ErrorKind::InvalidData, error));
        std::str::from_utf8(line).map(Some).map_err(invalid)
    }

    fn count(&mut self, read: usize) -> Result<(), Ended> {
        self.lines += 1;
        self.bytes += read;
        let bounds = [
            (read > LINE, Bound::Line),
            (self.lines > LINES, Bound::Lines),
            (self.bytes > BYTES, Bound::Bytes),
        ];
        bounds
            .into_iter()
            .find(|(is_passed, _)| *is_passed)
            .map_or(Ok(()), |(_, bound)| Err(Ended::TooMuch(bound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many lines are read, and what ends them.
    fn read(from: impl AsyncRead + Unpin) -> (usize, Option<Bound>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut lines, mut count) = (Lines::of(from), 0);
        runtime.block_on(async {
            loop {
                match lines.next().await {
                    Ok(Some(_)) => count += 1,
                    Ok(None) => return (count, None),
                    Err(Ended::TooMuch(bound)) => return (count, Some(bound)),
                    Err(Ended::Unreadable(error)) => panic!("{error}"),
                }
            }
        })
    }

    #[test]
    fn lines_end_as_they_are_printed_and_each_bound_ends_them() {
        assert_eq!(read(&b"a\r\n\nlast"[..]), (3, None));
        let line = "x".repeat(LINE - 1) + "\n";
        assert_eq!(read(line.repeat(3).as_bytes()), (3, None));
        assert_eq!(read(format!("{line}x{line}").as_bytes()), (1, Some(Bound::Line)));
        assert_eq!(read(tokio::io::repeat(b'x')), (0, Some(Bound::Line)));
        assert_eq!(read(tokio::io::repeat(b'\n')), (LINES, Some(Bound::Lines)));
        let many = (BYTES / LINE) as u64;
        let endless = (0..=many)
            .fold(Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>, |all, _| {
                Box::new(all.chain(line.as_bytes()))
            });
        assert_eq!(read(endless), (BYTES / LINE, Some(Bound::Bytes)));
    }
}
