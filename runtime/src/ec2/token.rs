//! Client tokens, written down before the call that uses them.
//!
//! If the caller dies, or EC2's answer is lost, the next attempt repeats the token and gets the
//! same instance instead of a second one. A token serves one wake: it goes when the instance was
//! seen to have ended.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Where the token of an archiver's wake is kept.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file for one purpose of an archiver, in a folder of state. Purposes have tokens of their
    /// own: the instance of a bake that was cut off must never be taken for the archiver.
    #[must_use]
    pub fn new(folder: &Path, spec: &str, archiver: &str, purpose: &str) -> Self {
        Self { path: folder.join(format!("{spec}.{archiver}.{purpose}-token")) }
    }

    /// The token that was written down, else a new one that now is.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn get(&self) -> io::Result<String> {
        self.last()?.map_or_else(|| self.renew(), Ok)
    }

    /// The token that was written down, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(&self.path) {
            Ok(token) => Ok(Some(token).filter(|token| is_token(token))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A new token, on the disk before it is returned.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn renew(&self) -> io::Result<String> {
        let token = format!("dormouse-{:032x}", rand::random::<u128>());
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(token.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        let folder = rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        rustix::fs::fsync(folder)?;
        Ok(token)
    }

    /// Forgets the token.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// At most 64 ASCII characters (EC2 API, `ClientToken`); a torn write is no token.
fn is_token(text: &str) -> bool {
    text.len() == "dormouse-".len() + 32 && text.starts_with("dormouse-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stays_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path(), "home", "archiver", "wake");
        let first = file.get().unwrap();
        assert!(first.len() <= 64 && file.get().unwrap() == first);
        assert_ne!(file.renew().unwrap(), first);
        file.forget().unwrap();
        file.forget().unwrap();
        assert_ne!(file.get().unwrap(), first);
        std::fs::write(folder.path().join("home.archiver.wake-token"), "dormouse-torn").unwrap();
        assert!(is_token(&file.get().unwrap()));
    }
}
