//! ssh-ed25519 public keys.

use std::fmt;

use ssh_key::Algorithm;

/// A public key, as `authorized_keys` and `known_hosts` write it: algorithm and base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: String,
    comment: String,
}

impl PublicKey {
    /// Reads `ssh-ed25519 AAAA… [comment]`.
    ///
    /// # Errors
    /// The reason in words.
    pub fn parse(line: &str) -> Result<Self, String> {
        let key = ssh_key::PublicKey::from_openssh(line.trim_end_matches('\n'))
            .map_err(|error| format!("this is no line of an OpenSSH public key ({error})"))?;
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(format!("a key of type {} is not used, only ssh-ed25519", key.algorithm()));
        }
        Self::of(&key).map_err(|error| format!("this key cannot be written as text ({error})"))
    }

    /// This text of a key, with this comment.
    pub(crate) fn new(key: &str, comment: String) -> Self {
        Self { key: key.to_owned(), comment }
    }

    /// This key of the ssh-key crate.
    pub(crate) fn of(key: &ssh_key::PublicKey) -> Result<Self, ssh_key::Error> {
        let comment = key.comment().to_owned();
        let bare = ssh_key::PublicKey::new(key.key_data().clone(), "");
        Ok(Self { key: bare.to_openssh()?.trim_end().to_owned(), comment })
    }

    /// Algorithm and base64, without the comment.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the key's maker noted.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.comment)
    }
}
