//! Two zvols, byte by byte.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::contents::Contents;
use super::tree::Compared;
use crate::zfs::scratch::Scratch;

/// How long udev may need to name a device.
const NAMED: Duration = Duration::from_secs(60);

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// Opens the device of a scratch zvol, which comes some time after the zvol itself.
///
/// # Errors
/// When it does not come or cannot be opened.
pub async fn open(scratch: &Scratch) -> io::Result<File> {
    let (path, since) = (device(scratch), Instant::now());
    loop {
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && since.elapsed() < NAMED => {
                tokio::time::sleep(LOOK).await;
            }
            result => {
                return result
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
        }
    }
}

/// Where udev puts it (zfs(8) and the rules that ZFS brings); a scratch dataset's name holds no space.
fn device(scratch: &Scratch) -> PathBuf {
    Path::new("/dev/zvol").join(scratch.name().as_str())
}

/// Compares what both hold.
#[must_use]
pub fn compare(here: File, there: File) -> Compared {
    let mut contents = Contents::default();
    let difference = match contents.compare(here, there) {
        Ok(None) => None,
        Ok(Some(at)) => Some(format!("its contents differ from byte {at} on")),
        Err(error) => Some(format!("it cannot be read to its end: {error}")),
    };
    let differences: Vec<String> = difference.into_iter().collect();
    Compared { entries: 1, bytes: contents.bytes, differing: differences.len() as u64, differences }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_byte_that_differs_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let size = super::super::contents::CHUNK + 512;
        let file = |name: &str, change: Option<usize>| {
            let mut bytes = vec![7; size];
            if let Some(at) = change {
                bytes[at] = 8;
            }
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            File::open(path).unwrap()
        };
        let same = compare(file("a", None), file("b", None));
        assert_eq!((same.differing, same.entries, same.bytes), (0, 1, size as u64));
        for at in [0, size / 2, size - 1] {
            let other = compare(file("a", None), file("b", Some(at)));
            assert_eq!(other.differences, [format!("its contents differ from byte {at} on")]);
        }
        fs::write(folder.path().join("short"), vec![7; 512]).unwrap();
        let short = compare(file("a", None), File::open(folder.path().join("short")).unwrap());
        assert_eq!(short.differences, ["its contents differ from byte 512 on"]);
    }
}
