//! Two files, or devices, byte by byte.

use std::fs::File;
use std::io::{self, Read};

/// How much of both is read at once, in bytes.
pub const CHUNK: usize = 1 << 20;

/// Compares contents, one pair after the other.
#[derive(Debug, Default)]
pub struct Contents {
    buffers: [Vec<u8>; 2],
    /// How many bytes were the same so far, in all pairs.
    pub bytes: u64,
}

impl Contents {
    /// Where the two begin to differ, in bytes from their beginning.
    ///
    /// # Errors
    /// When one cannot be read to its end.
    pub fn compare(&mut self, mut here: File, mut there: File) -> io::Result<Option<u64>> {
        let [ours, theirs] = &mut self.buffers;
        let mut at = 0;
        loop {
            fill(&mut here, ours)?;
            fill(&mut there, theirs)?;
            if ours != theirs {
                let same = ours.iter().zip(theirs.iter()).take_while(|(ours, theirs)| ours == theirs).count();
                return Ok(Some(at + same as u64));
            }
            if ours.is_empty() {
                return Ok(None);
            }
            at += ours.len() as u64;
            self.bytes += ours.len() as u64;
        }
    }
}

/// Reads the next chunk; a shorter one is the last.
fn fill(file: &mut File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.take(CHUNK as u64).read_to_end(buffer).map(|_| ())
}
