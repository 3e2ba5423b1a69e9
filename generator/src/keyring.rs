//! Keys: from the seed, or only their public halves as an earlier run published them.

use std::collections::BTreeMap;

use hkdf::Hkdf;
use sha2::Sha256;
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};
use zeroize::Zeroizing;

use crate::layout;
use crate::public_key::PublicKey;
use crate::secret::{Secret, Seed};
use crate::spec::{Archiver, Host, Provider, Spec, Static};

/// What stands in public artifacts for a key that nobody has derived yet.
const NOT_DERIVED: &str = "ssh-ed25519 (not derived yet)";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The host key of an archiver.
    Archiver,
    /// The identity of a host.
    Host,
    /// The identity of the system's administrator: root on EC2 archivers.
    Admin,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Archiver => "archiver",
            Self::Host => "host",
            Self::Admin => "admin",
        }
    }
}

/// Which key: the same one always has the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId {
    purpose: Purpose,
    name: String,
    epoch: u32,
}

impl KeyId {
    /// The host key of an archiver.
    #[must_use]
    pub fn archiver(name: &str, archiver: &Archiver) -> Self {
        Self { purpose: Purpose::Archiver, name: name.to_owned(), epoch: archiver.epoch }
    }

    /// The identity of a host.
    #[must_use]
    pub fn host(name: &str, host: &Host) -> Self {
        Self { purpose: Purpose::Host, name: name.to_owned(), epoch: host.epoch }
    }

    /// The administrator's identity.
    #[must_use]
    pub fn admin(spec: &Spec) -> Self {
        Self { purpose: Purpose::Admin, name: "admin".to_owned(), epoch: spec.admin.epoch }
    }

    /// All keys that a spec derives: none for an archiver that brings its own, and the
    /// administrator's only where there is an EC2 archiver to administer.
    #[must_use]
    pub fn all(spec: &Spec) -> Vec<Self> {
        let archivers = spec
            .archivers
            .iter()
            .filter(|(_, archiver)| given_host_key(archiver).is_none())
            .map(|(name, archiver)| Self::archiver(name, archiver));
        let hosts = spec.hosts.iter().map(|(name, host)| Self::host(name, host));
        let admin = has_ec2(spec).then(|| Self::admin(spec));
        archivers.chain(hosts).chain(admin).collect()
    }

    /// Where its public half lies in the public folder.
    #[must_use]
    pub fn public_path(&self) -> String {
        match self.purpose {
            Purpose::Archiver => format!("keys/archivers/{}.pub", self.name),
            Purpose::Host => format!("keys/hosts/{}.pub", self.name),
            Purpose::Admin => "keys/admin.pub".to_owned(),
        }
    }

    /// Where its private half lies in the secrets folder.
    #[must_use]
    pub fn private_path(&self) -> String {
        match self.purpose {
            Purpose::Archiver => layout::archiver_host_key(&self.name),
            Purpose::Host => layout::host_identity(&self.name),
            Purpose::Admin => layout::ADMIN_IDENTITY.to_owned(),
        }
    }

    /// The comment of its files. It names the epoch, so that a key of an earlier one shows.
    fn comment(&self, spec_name: &str) -> String {
        format!("dormouse:{spec_name}:{}:{}:{}", self.purpose.word(), self.name, self.epoch)
    }

    /// What the derivation depends on besides the seed; changing this changes every key.
    fn info(&self) -> String {
        format!("dormouse/1/{}/{}/{}", self.purpose.word(), self.name, self.epoch)
    }
}

/// The public host key that a static archiver already has, where the spec names one.
pub(crate) fn given_host_key(archiver: &Archiver) -> Option<&str> {
    match &archiver.provider {
        Provider::Static(Static { host_key, .. }) => host_key.as_deref(),
        Provider::Ec2(_) => None,
    }
}

pub(crate) fn has_ec2(spec: &Spec) -> bool {
    spec.archivers.values().any(|archiver| matches!(archiver.provider, Provider::Ec2(_)))
}

/// Where keys come from.
pub enum Keyring {
    /// All of them from the seed.
    Seed(Seed),
    /// Public halves by their path in the public folder; enough to check what is public.
    Public(BTreeMap<String, PublicKey>),
}

/// A key in the two forms of OpenSSH's files.
pub struct KeyPair {
    /// The private half; none without the seed.
    pub private: Option<Secret>,
    /// The public half.
    pub public: PublicKey,
}

impl Keyring {
    /// The public keys that an earlier run published, which `read` finds by their path in the
    /// public folder; one that is missing or garbled shows in what is generated.
    #[must_use]
    pub fn published(spec: &Spec, read: impl Fn(&str) -> Option<String>) -> Self {
        let paths = KeyId::all(spec).into_iter().map(|id| id.public_path());
        let key = |path: String| Some((path.clone(), PublicKey::parse(&read(&path)?).ok()?));
        Self::Public(paths.filter_map(key).collect())
    }

    /// This key of a spec of this name.
    ///
    /// # Errors
    /// When the key cannot be written as OpenSSH's text.
    pub fn key(&self, spec_name: &str, id: &KeyId) -> Result<KeyPair, ssh_key::Error> {
        let comment = id.comment(spec_name);
        match self {
            Self::Seed(seed) => derive(seed, id, comment),
            Self::Public(keys) => {
                let key = keys.get(&id.public_path()).map_or(NOT_DERIVED, PublicKey::key);
                Ok(KeyPair { private: None, public: PublicKey::new(key, comment) })
            }
        }
    }

    /// The key that signs a host's records of properties, in hexadecimal and a newline; none without the seed. It does
    /// not depend on the host's SSH key, so a stolen SSH key cannot sign records. A new epoch gives a new one.
    ///
    /// # Errors
    /// None in a program that was tested.
    pub fn record_key(
        &self,
        spec_name: &str,
        name: &str,
        host: &Host,
    ) -> Result<Option<Secret>, ssh_key::Error> {
        let Self::Seed(seed) = self else { return Ok(None) };
        let key = expand(seed, &format!("dormouse/1/record/{spec_name}/{name}/{}", host.epoch))?;
        let mut text = Vec::with_capacity(2 * Seed::BYTES + 1);
        for byte in key.iter() {
            let digits = [byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
            text.extend(digits);
        }
        text.push(b'\n');
        Ok(Some(Secret::new(text)))
    }
}

/// 32 bytes that depend on the seed and on `info`.
fn expand(seed: &Seed, info: &str) -> Result<Zeroizing<[u8; Seed::BYTES]>, ssh_key::Error> {
    let mut secret = Zeroizing::new([0; Seed::BYTES]);
    let hkdf = Hkdf::<Sha256>::new(None, seed.bytes());
    hkdf.expand(info.as_bytes(), secret.as_mut()).map_err(|_| ssh_key::Error::Crypto)?;
    Ok(secret)
}

fn derive(seed: &Seed, id: &KeyId, comment: String) -> Result<KeyPair, ssh_key::Error> {
    let secret = expand(seed, &id.info())?;
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&secret));
    let key = PrivateKey::new(pair, comment)?;
    let text = key.to_openssh(LineEnding::LF)?;
    let private = Some(Secret::new(text.as_bytes().to_vec()));
    Ok(KeyPair { private, public: PublicKey::of(key.public_key())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(purpose: Purpose, name: &str, epoch: u32) -> KeyId {
        KeyId { purpose, name: name.to_owned(), epoch }
    }

    fn public(seed: u8, id: &KeyId) -> String {
        let keyring = Keyring::Seed(Seed::new([seed; Seed::BYTES]));
        keyring.key("home", id).ok().unwrap().public.key().to_owned()
    }

    #[test]
    fn seed_purpose_name_and_epoch_each_change_the_key() {
        let keys = [
            public(1, &id(Purpose::Archiver, "a", 1)),
            public(2, &id(Purpose::Archiver, "a", 1)),
            public(1, &id(Purpose::Host, "a", 1)),
            public(1, &id(Purpose::Archiver, "b", 1)),
            public(1, &id(Purpose::Archiver, "a", 2)),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(keys[0], public(1, &id(Purpose::Archiver, "a", 1)));
    }

    #[test]
    fn derivation_is_the_one_that_earlier_versions_used() {
        // Recomputed with OpenSSL and a HKDF of its own.
        let expected = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICBmnYprL8Nn8gGTqZUvo15F9IJ4z8OqBTHAa5AK/DmO";
        assert_eq!(public(7, &id(Purpose::Host, "desktop", 1)), expected);
    }
}
