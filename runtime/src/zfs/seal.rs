//! Proof that a host wrote a record of properties: a MAC under a key that only its secrets hold.

use dormouse_generator::spec::Spec;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::properties::Record;

/// Bytes of the key and of the MAC (RFC 2104 with SHA-256).
const BYTES: usize = 32;

/// Whether a record is what its host wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Genuine,
    /// It has no MAC: an older version wrote it, or an attacker.
    Unsigned,
    /// It is not, or its host had another key.
    Forged,
    /// This host has no key to tell by.
    NoKey,
}

/// The key of one host.
pub struct Seal {
    key: Zeroizing<Vec<u8>>,
    system: String,
    host: String,
}

impl Seal {
    /// The key that a file of the secrets holds in hexadecimal; none when the text is not one.
    #[must_use]
    pub fn read(text: &str, spec: &Spec, host: &str) -> Option<Self> {
        let digits = text.trim();
        if digits.len() != 2 * BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok();
        let key = Zeroizing::new((0..BYTES).map(byte).collect::<Option<Vec<u8>>>()?);
        Some(Self { key, system: spec.name.clone(), host: host.to_owned() })
    }

    /// The record with its MAC.
    #[must_use]
    pub fn sign(&self, record: Record) -> Record {
        let mac = self.mac(&record).map(|mac| mac.finalize().into_bytes());
        let digits = mac.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        Record { mac: digits, ..record }
    }

    /// Whether the record is what this host wrote.
    #[must_use]
    pub fn examine(seal: Option<&Self>, record: &Record) -> Verdict {
        let Some(given) = &record.mac else { return Verdict::Unsigned };
        let Some(seal) = seal else { return Verdict::NoKey };
        let byte = |at: usize| given.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let bytes: Option<Vec<u8>> = (0..given.len()).step_by(2).map(byte).collect();
        // Takes the same time for every wrong MAC.
        let matches =
            seal.mac(record).zip(bytes).is_some_and(|(mac, bytes)| mac.verify_slice(&bytes).is_ok());
        if matches { Verdict::Genuine } else { Verdict::Forged }
    }

    /// Over the system, the host, the dataset and all that was set on it.
    fn mac(&self, record: &Record) -> Option<Hmac<Sha256>> {
        let Record { of, set, mac: _ } = record;
        let text = serde_json::to_vec(&("dormouse record 1", &self.system, &self.host, of, set)).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(&text);
        Some(mac)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("host", &self.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use dormouse_generator::spec::Admin;

    use super::*;

    fn seal(digit: &str, host: &str) -> Seal {
        let spec = Spec {
            version: 1,
            name: "home".to_owned(),
            admin: Admin::default(),
            archivers: BTreeMap::new(),
            hosts: BTreeMap::new(),
        };
        Seal::read(&format!("{}\n", digit.repeat(64)), &spec, host).unwrap()
    }

    fn record() -> Record {
        let set = BTreeMap::from([("quota".to_owned(), "1".to_owned())]);
        Record { set, ..Record::empty("tank/a") }
    }

    #[test]
    fn a_record_is_genuine_until_anything_of_it_changes() {
        let ours = seal("a", "desktop");
        let signed = ours.sign(record());
        assert_eq!(Seal::examine(Some(&ours), &signed), Verdict::Genuine);
        assert_eq!(Seal::examine(None, &signed), Verdict::NoKey);
        assert_eq!(Seal::examine(Some(&ours), &record()), Verdict::Unsigned);
        let mut more = signed.clone();
        more.set.insert("mountpoint".to_owned(), "/etc/cron.d".to_owned());
        let elsewhere = Record { of: "tank/b".to_owned(), ..signed.clone() };
        for mac in ["", "a", "é", "zz", &"0".repeat(64), &signed.mac.clone().unwrap()[2..]] {
            let forged = Record { mac: Some(mac.to_owned()), ..signed.clone() };
            assert_eq!(Seal::examine(Some(&ours), &forged), Verdict::Forged, "{mac}");
        }
        for forged in [more, elsewhere] {
            assert_eq!(Seal::examine(Some(&ours), &forged), Verdict::Forged);
        }
        for other in [seal("b", "desktop"), seal("a", "laptop")] {
            assert_eq!(Seal::examine(Some(&other), &signed), Verdict::Forged);
        }
    }

    #[test]
    fn the_mac_stays_what_earlier_versions_wrote() {
        // Computed by Python's hmac.
        let expected = "97a5b68500ab5f9c79df4ce5fe24d597ba02ef498bfcf6b52a1c867f66c4becc";
        assert_eq!(seal("a", "desktop").sign(record()).mac.unwrap(), expected);
    }

    #[test]
    fn a_text_that_is_no_key_is_none() {
        let spec = Spec {
            version: 1,
            name: "home".to_owned(),
            admin: Admin::default(),
            archivers: BTreeMap::new(),
            hosts: BTreeMap::new(),
        };
        for text in ["", "\n", "ab", &"g".repeat(64), &"a".repeat(66), &"é".repeat(32)] {
            assert!(Seal::read(text, &spec, "desktop").is_none(), "{text:?}");
        }
    }
}
