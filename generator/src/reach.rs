//! How a host reaches an archiver: what the generated files and the runtime must agree on.

use sha2::{Digest, Sha256};

use crate::spec::{Archiver, Provider};

/// Longest user name of Linux in bytes (`LOGIN_NAME_MAX` of shadow and systemd is 32 with NUL).
const LONGEST_USER: usize = 31;

/// Hexadecimal digits of the hash that keeps shortened names apart.
const HASH_DIGITS: usize = 8;

/// The name under which ssh knows an archiver's host key, whatever its address is: unlike the
/// archiver's own name it is unique among all specs, for names hold no dots.
#[must_use]
pub fn host_key_alias(spec_name: &str, archiver_name: &str) -> String {
    format!("{archiver_name}.{spec_name}.dormouse")
}

/// The user as whom a host logs in on an archiver.
#[must_use]
pub fn login(archiver: &Archiver, host_name: &str) -> String {
    match &archiver.provider {
        Provider::Static(machine) => machine.user.clone(),
        Provider::Ec2(_) => ec2_user(host_name),
    }
}

/// The user that an EC2 archiver has for a host: `dormouse-<host>`, shortened where Linux
/// would not take it.
fn ec2_user(host_name: &str) -> String {
    let whole = format!("dormouse-{host_name}");
    if whole.len() <= LONGEST_USER {
        return whole;
    }
    let kept = whole.chars().take(LONGEST_USER - HASH_DIGITS - 1).collect::<String>();
    format!("{kept}-{}", short_hash(host_name))
}

/// The first digits of a text's SHA-256.
pub(crate) fn short_hash(text: &str) -> String {
    Sha256::digest(text).iter().take(HASH_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_never_longer_than_linux_allows() {
        assert_eq!(ec2_user("desktop"), "dormouse-desktop");
        let (a, b) = (ec2_user(&format!("{}a", "x".repeat(40))), ec2_user(&format!("{}b", "x".repeat(40))));
        assert_eq!((a.len(), b.len()), (LONGEST_USER, LONGEST_USER));
        assert_ne!(a, b);
    }
}
