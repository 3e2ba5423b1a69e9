//! One EC2 provider.

use std::net::IpAddr;

use super::text;
use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::{Ec2, Image};

/// Images before this release often ignore the host key of the user data: a key that was
/// generated at boot won the race (nixpkgs #444040, first in 25.11).
const OLDEST_RELEASE: (u32, u32) = (25, 11);

/// Sizes with less than the 2 GiB of memory that evaluating a NixOS configuration needs.
const TOO_SMALL: [&str; 2] = ["nano", "micro"];

pub(super) fn check(machine: &Ec2, path: &JsonPath, problems: &mut Vec<Problem>) {
    let no_region = region(&machine.region, &path.key("region"));
    problems.extend(no_region.or_else(|| zone(machine, path)));
    problems.extend(instance_type(&machine.instance_type, &path.key("instance_type")));
    problems.extend(image(&machine.image, &path.key("image")));
    if let Some(id) = &machine.subnet_id {
        problems.extend(resource_id(id, "subnet", &path.key("subnet_id")));
    }
    for (index, id) in machine.security_group_ids.iter().enumerate() {
        problems.extend(resource_id(id, "sg", &path.key("security_group_ids").index(index)));
    }
    for (index, range) in machine.ssh_from.iter().enumerate() {
        problems.extend(address_range(range, &path.key("ssh_from").index(index)));
    }
    if !machine.ssh_from.is_empty() && !machine.security_group_ids.is_empty() {
        let reason = "`ssh_from` is for the security group that `up` makes, and others are named";
        problems.push(Problem::new(path.key("ssh_from"), reason, "remove one of the two"));
    }
}

/// An address and the length of its prefix (RFC 4632, RFC 4291).
fn address_range(range: &str, path: &JsonPath) -> Option<Problem> {
    let parsed = range.split_once('/').and_then(|(address, length)| {
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        Some(length <= if address.is_ipv4() { 32 } else { 128 })
    });
    (parsed != Some(true)).then(|| {
        let reason = format!("{range:?} is no range of addresses");
        Problem::new(path.clone(), reason, "write one such as 203.0.113.7/32 or 2001:db8::/32")
    })
}

fn region(region: &str, path: &JsonPath) -> Option<Problem> {
    let parts: Vec<&str> = region.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let is_region = matches!(parts.as_slice(), [words @ .., number]
        if words.len() >= 2 && words.iter().all(is_word) && number.len() == 1 && number.parse::<u8>().is_ok());
    (!is_region).then(|| {
        Problem::new(path.clone(), format!("{region:?} is no AWS region"), "write one such as us-west-2")
    })
}

fn zone(machine: &Ec2, path: &JsonPath) -> Option<Problem> {
    let Ec2 { region, availability_zone: zone, .. } = machine;
    let inner = zone.strip_prefix(region.as_str()).unwrap_or_default();
    let is_letter = inner.len() == 1 && inner.starts_with(|c: char| c.is_ascii_lowercase());
    // Local zones: us-west-2-lax-1a.
    let is_local = inner.starts_with('-') && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (!is_letter && !is_local).then(|| {
        let reason = format!("{zone:?} is no zone of the region {region}");
        Problem::new(path.key("availability_zone"), reason, format!("write one such as {region}a"))
            .touching(path.key("region"))
    })
}

fn instance_type(kind: &str, path: &JsonPath) -> Option<Problem> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    match kind.split_once('.') {
        Some((family, size)) if is_part(family) && is_part(size) => TOO_SMALL.contains(&size).then(|| {
            let reason = format!("{kind} has less memory than the 2 GiB that evaluating NixOS needs");
            Problem::new(path.clone(), reason, format!("write {family}.small or larger")).warning()
        }),
        _ => Some(Problem::new(
            path.clone(),
            format!("{kind:?} is no EC2 instance type"),
            "write one such as t4g.small",
        )),
    }
}

fn image(image: &Image, path: &JsonPath) -> Option<Problem> {
    match (&image.nixos, &image.id) {
        (Some(_), Some(_)) => Some(Problem::new(
            path.clone(),
            "an image is named by `nixos` or by `id`, not by both",
            "remove one of the two",
        )),
        (None, None) => {
            Some(Problem::new(path.clone(), "no image is named", r#"write { "nixos": "26.05" }"#))
        }
        (Some(release), None) => nixos_release(release, &path.key("nixos")),
        (None, Some(id)) => resource_id(id, "ami", &path.key("id")),
    }
}

fn nixos_release(release: &str, path: &JsonPath) -> Option<Problem> {
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten();
    let parsed = release.split_once('.').and_then(|(year, month)| Some((number(year)?, number(month)?)));
    match parsed {
        Some(parsed @ (_, 5 | 11)) if parsed >= OLDEST_RELEASE => None,
        Some((_, 5 | 11)) => {
            let reason = format!("images of NixOS {release} may ignore the host key they are given");
            Some(Problem::new(path.clone(), reason, "write 25.11 or a later release"))
        }
        _ => {
            let reason = format!("{release:?} is no release of NixOS");
            Some(Problem::new(path.clone(), reason, "write one such as 26.05"))
        }
    }
}

/// EC2's identifiers: a prefix and 8 or 17 hexadecimal digits.
fn resource_id(id: &str, prefix: &str, path: &JsonPath) -> Option<Problem> {
    if let Some(problem) = text::line(id, path, "the identifier") {
        return Some(problem);
    }
    let digits = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    let is_hex = digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    (!is_hex || !matches!(digits.len(), 8 | 17)).then(|| {
        let fix = format!("write {prefix}- and 17 hexadecimal digits, as the EC2 console shows it");
        Problem::new(path.clone(), format!("{id:?} is no identifier of this kind"), fix)
    })
}
