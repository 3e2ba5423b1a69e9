//! What a service must be told and nobody else: API keys and URLs that are keys.

use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::sink::Trouble;

/// How big a file of a secret may be, in bytes; a bigger one is some other file.
const MAX: u64 = 16 * 1024;

/// A secret. It has neither `Debug` nor `Display`, so that no log can hold it, and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Reads the secret of a field of the spec, such as `honeycomb.api_key_file`: from the
    /// credential of that name if systemd gives one (systemd.exec(5), `LoadCredential=`), else
    /// from the file that the spec names. An empty credential is none: units set it so that a file
    /// which is missing does not keep them from starting (`SetCredential=`).
    ///
    /// # Errors
    /// [`Trouble::Secret`].
    pub fn read(field: &str, path: &str) -> Result<Self, Trouble> {
        Self::from(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref(), field, path)
    }

    fn from(credentials: Option<&Path>, field: &str, path: &str) -> Result<Self, Trouble> {
        let is_given = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map(Zeroizing::new);
            text.map_or_else(|_| path.exists(), |text| !text.trim().is_empty())
        };
        let credential = credentials.map(|folder| folder.join(field)).filter(is_given);
        let path = credential.unwrap_or_else(|| PathBuf::from(path));
        let failed = |detail: String| Trouble::Secret { path: path.clone(), detail };
        let size = std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?.len();
        if size > MAX {
            return Err(failed(format!("it has {size} bytes and is no secret")));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let text = Zeroizing::new(text);
        let text = text.trim();
        if text.is_empty() {
            return Err(failed("it is empty".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the request that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its lines as headers: `Name: value`.
    ///
    /// # Errors
    /// [`Trouble::Secret`], without the line.
    pub fn headers(&self, path: &str) -> Result<Vec<(String, String)>, Trouble> {
        let header = |(number, line): (usize, &str)| match line.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(Trouble::Secret {
                path: PathBuf::from(path),
                detail: format!("line {} is no header `Name: value`", number + 1),
            }),
        };
        self.0.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(header).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_of_systemd_takes_the_place_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from the file\n").unwrap();
        let file = file.to_str().unwrap();
        let read = |credentials| Secret::from(credentials, "honeycomb.api_key_file", file).ok().unwrap();
        assert_eq!(read(Some(folder.path())).reveal(), "from the file");
        std::fs::write(folder.path().join("honeycomb.api_key_file"), "\n").unwrap();
        assert_eq!(read(Some(folder.path())).reveal(), "from the file");
        std::fs::write(folder.path().join("honeycomb.api_key_file"), "from systemd").unwrap();
        assert_eq!(read(Some(folder.path())).reveal(), "from systemd");
        assert_eq!(read(None).reveal(), "from the file");
    }

    #[test]
    fn a_bad_file_is_named_and_its_text_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("empty"), " \n").unwrap();
        std::fs::write(path("big"), vec![b'x'; 20_000]).unwrap();
        std::fs::write(path("headers"), "A: b\nsesame\n").unwrap();
        for name in ["missing", "empty", "big"] {
            let trouble = Secret::from(None, "x", &path(name)).err().unwrap().to_string();
            assert!(trouble.contains(name), "{trouble}");
        }
        let headers = Secret::from(None, "x", &path("headers")).ok().unwrap();
        let trouble = headers.headers(&path("headers")).unwrap_err().to_string();
        assert!(trouble.contains("line 2") && !trouble.contains("sesame"), "{trouble}");
    }
}
