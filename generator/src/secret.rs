//! Bytes that must not leak: no way to print, compare or serialise them, wiped when dropped.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The contents of a secret file.
///
/// ```compile_fail
/// format!("{:?}", dormouse_generator::secret::Secret::new(Vec::new()));
/// ```
/// ```compile_fail
/// dormouse_generator::secret::Secret::new(Vec::new()).to_string();
/// ```
/// ```compile_fail
/// serde_json::to_string(&dormouse_generator::secret::Secret::new(Vec::new()));
/// ```
/// ```
/// dormouse_generator::secret::Secret::new(Vec::new()).expose();
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// These bytes.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who writes them down.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The one secret that all keys derive from.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; Seed::BYTES]);

impl Seed {
    /// Its length in bytes.
    pub const BYTES: usize = 32;

    /// These bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads the line of a seed file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// The reason in words; it tells nothing of the contents but their length.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.trim_ascii();
        if text.len() != 2 * Self::BYTES {
            return Err(format!(
                "a seed is {} hexadecimal digits, this has {} bytes",
                2 * Self::BYTES,
                text.len()
            ));
        }
        let mut seed = Self([0; Self::BYTES]);
        for (byte, digits) in seed.0.iter_mut().zip(text.chunks(2)) {
            let digits = digits
                .iter()
                .try_fold(0, |value, digit| char::from(*digit).to_digit(16).map(|digit| value * 16 + digit));
            *byte = digits
                .and_then(|value| u8::try_from(value).ok())
                .ok_or_else(|| "it holds something else than hexadecimal digits".to_owned())?;
        }
        Ok(seed)
    }

    /// The line of a seed file.
    #[must_use]
    pub fn to_line(&self) -> Secret {
        let mut line = Vec::with_capacity(2 * Self::BYTES + 1);
        for nibble in self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            line.push(b"0123456789abcdef"[usize::from(nibble)]);
        }
        line.push(b'\n');
        Secret::new(line)
    }

    pub(crate) const fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_survives_its_file() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        let again = Seed::parse(Seed::new(bytes).to_line().expose()).ok().unwrap();
        assert_eq!(again.bytes(), &bytes);
    }

    #[test]
    fn what_is_no_seed_is_refused_without_showing_it() {
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            let reason = Seed::parse(text.as_bytes()).err().unwrap();
            assert!(text.is_empty() || !reason.contains(text), "{reason}");
        }
    }
}
