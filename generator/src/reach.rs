//! How a host reaches an archiver: what the generated files and the runtime must agree on.

use sha2::{Digest, Sha256};

use crate::spec::{Archiver, Provider};

/// Longest user name of Linux in bytes (`LOGIN_NAME_MAX` of shadow and systemd is 32 with NUL).
const LONGEST_USER: usize = 31;

/// The group that all hosts' users have on an EC2 archiver, and the first of the numbers that are for them.
/// Neither systemd nor a distribution allots any from here to [`LAST_UID`]: containers end below, and the
/// "foreign" range begins above (systemd, "Users, Groups, UIDs and GIDs on systemd Systems").
pub const GROUP: u32 = 1_879_048_192;

/// The last number for a host's user.
pub const LAST_UID: u32 = 2_147_352_575;

/// What a host needs on an archiver whose root decides how copies are mounted, as `zfs allow` names it: the first
/// three for a receive (zfs-allow(8)), `send` for a restore, `userprop` for the record of properties. A host
/// that may neither destroy nor roll back cannot remove what it sent.
pub const RIGHTS: &str = "create,mount,receive,send,userprop";

/// What that root sets on the dataset above all copies. They inherit all but `canmount` (zfsprops(7)), which
/// does nothing without a mount point, so importing the pool mounts nothing on any machine.
pub const KEPT: [(&str, &str); 5] = [
    ("canmount", "off"),
    ("com.sun:auto-snapshot", "false"),
    ("mountpoint", "none"),
    ("readonly", "on"),
    ("volmode", "none"),
];

/// Size of an EC2 archiver's root volume in GiB, a gp3 volume that ends with its instance. The public NixOS image
/// has 4, which a rebuild fills.
pub const ROOT_GIB: i32 = 10;

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

/// The number of a host's user on an EC2 archiver, from its name alone: ZFS keeps rights by number, on a
/// volume that outlives every image, so no host may ever get the number of another.
#[must_use]
pub fn uid(host_name: &str) -> u32 {
    let digest = Sha256::digest(format!("dormouse uid\0{host_name}"));
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let offset = number % u64::from(LAST_UID - GROUP);
    GROUP + 1 + u32::try_from(offset).unwrap_or_default()
}

/// The first digits of a text's SHA-256.
pub(crate) fn short_hash(text: &str) -> String {
    digits(text, HASH_DIGITS)
}

/// More of them, so that no two texts of a system ever share them.
pub(crate) fn long_hash(text: &str) -> String {
    digits(text, 2 * HASH_DIGITS)
}

fn digits(text: &str, number: usize) -> String {
    Sha256::digest(text).iter().take(number / 2).map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn a_hosts_number_never_changes_and_lies_in_the_range_that_is_free() {
        assert_eq!((uid("desktop"), uid("laptop")), (1_905_531_592, 2_120_563_261));
        let names = (0..10_000).map(|n| format!("host{n}"));
        assert!(names.map(|name| uid(&name)).all(|uid| uid > GROUP && uid <= LAST_UID));
    }
}
