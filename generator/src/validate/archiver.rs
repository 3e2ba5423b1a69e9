//! One archiver.

use std::net::Ipv6Addr;

use super::{ec2, text};
use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::public_key::PublicKey;
use crate::spec::{Archiver, Provider, Static, Volume, VolumeType};

/// Below this the archiver could fall asleep between a wake and the first session.
const SHORTEST_LINGER: u64 = 30;

/// What `zpool create` takes for `ashift`.
const ASHIFT: std::ops::RangeInclusive<u8> = 9..=16;

pub(super) fn check(archiver: &Archiver, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(epoch(archiver.epoch, path));
    problems.extend(ssh_port(archiver, path));
    problems.extend(ssh_ciphers(archiver, path));
    problems.extend(ashift(archiver, path));
    problems.extend(lifetimes(archiver, path));
    problems.extend(volume(archiver, path));
    problems.extend(retention(archiver, path));
    let provider = path.key("provider");
    match &archiver.provider {
        Provider::Ec2(machine) => ec2::check(machine, &provider, problems),
        Provider::Static(machine) => {
            problems.extend(kept_dataset(archiver, machine, &provider));
            fixed(machine, &provider, problems);
        }
    }
}

/// The generation of a key, of an archiver or of a host.
pub(super) fn epoch(epoch: u32, path: &JsonPath) -> Option<Problem> {
    (epoch == 0).then(|| Problem::new(path.key("epoch"), "epochs count from 1", "write 1, or leave it out"))
}

fn ssh_port(archiver: &Archiver, path: &JsonPath) -> Option<Problem> {
    (archiver.ssh_port == 0)
        .then(|| Problem::new(path.key("ssh_port"), "port 0 is no port", "write 22, or leave it out"))
}

fn ssh_ciphers<'a>(archiver: &'a Archiver, path: &'a JsonPath) -> impl Iterator<Item = Problem> + use<'a> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "@.-".contains(c);
    let ciphers = archiver.ssh_ciphers.iter().enumerate();
    let bad = ciphers.filter(move |(_, name)| name.is_empty() || !name.chars().all(is_legal));
    bad.map(|(index, name)| {
        let reason = format!("no cipher is named {name:?}");
        Problem::new(path.key("ssh_ciphers").index(index), reason, "write names that `ssh -Q cipher` prints")
    })
}

fn ashift(archiver: &Archiver, path: &JsonPath) -> Option<Problem> {
    let ashift = archiver.pool.ashift;
    (!ASHIFT.contains(&ashift)).then(|| {
        let reason = format!("ZFS knows ashift 9 to 16, not {ashift}");
        Problem::new(path.key("pool").key("ashift"), reason, "write 12, or leave it out")
    })
}

fn lifetimes(archiver: &Archiver, path: &JsonPath) -> Vec<Problem> {
    let (linger, most) = (archiver.linger, archiver.max_lifetime);
    let mut problems = Vec::new();
    if linger.as_secs() < SHORTEST_LINGER {
        let reason =
            format!("{linger} is too short: the archiver would sleep before the next session begins");
        problems.push(Problem::new(path.key("linger"), reason, "write 30s or more"));
    }
    if most <= linger {
        let reason = format!("{most} is not longer than linger, which is {linger}");
        problems.push(
            Problem::new(path.key("max_lifetime"), reason, format!("write more than {linger}"))
                .touching(path.key("linger")),
        );
    }
    problems
}

fn volume(archiver: &Archiver, path: &JsonPath) -> Option<Problem> {
    let at = path.key("volume");
    match (&archiver.provider, &archiver.volume) {
        (Provider::Ec2(_), None) => {
            let fix = r#"add "volume": { "type": "sc1", "size_gib": 500 }"#;
            Some(Problem::new(at, "an EC2 archiver needs a volume for its pool", fix))
        }
        (Provider::Static(_), Some(_)) => {
            let reason = "a static archiver has no EBS volume";
            Some(Problem::new(at, reason, "remove it").on_key().touching(path.key("provider")))
        }
        (Provider::Ec2(_), Some(volume)) => volume_size(volume, &at),
        (Provider::Static(_), None) => None,
    }
}

/// Only an archiver whose system is generated lets snapshots go by itself.
fn retention(archiver: &Archiver, path: &JsonPath) -> Option<Problem> {
    let at = path.key("retention");
    let retention = archiver.retention.as_ref()?;
    if matches!(archiver.provider, Provider::Static(_)) {
        let reason = "a static archiver decides by its own means what it keeps";
        let fix = "remove it; `follow_delete` of a replication mirrors what the host deletes";
        return Some(Problem::new(at, reason, fix).on_key().touching(path.key("provider")));
    }
    retention.is_empty().then(|| {
        let fix = r#"name a class, such as { "frequent": 4, "hourly": 48 }, or leave it out"#;
        Problem::new(at, "it names no class of snapshots, so nothing would be let go", fix)
    })
}

/// EC2's CreateVolume, parameter Size.
fn volume_size(volume: &Volume, path: &JsonPath) -> Option<Problem> {
    let (name, least, most) = match volume.kind {
        VolumeType::Sc1 => ("sc1", 125, 16_384),
        VolumeType::St1 => ("st1", 125, 16_384),
        VolumeType::Gp3 => ("gp3", 1, 65_536),
    };
    let size = volume.size_gib;
    (size < least || size > most).then(|| {
        let reason = format!("{name} volumes have {least} to {most} GiB, not {size}");
        let fix = match volume.kind {
            VolumeType::Gp3 => format!("write {least} to {most}"),
            _ if size < least => format!("write {least} or more, or take type gp3"),
            _ => format!("write {most} or less, or take type gp3"),
        };
        Problem::new(path.key("size_gib"), reason, fix).touching(path.key("type"))
    })
}

/// The dataset above all targets is one of the pool, and not the pool itself: that has other datasets.
fn kept_dataset(archiver: &Archiver, machine: &Static, path: &JsonPath) -> Option<Problem> {
    let (dataset, pool) = (machine.dataset.as_ref()?, archiver.pool.name.as_str());
    let reason = match dataset.parent() {
        None => format!("{dataset} is a whole pool, whose other datasets would change too"),
        Some(_) if dataset.pool() != pool => format!("{dataset} lies outside {pool}, the archiver's pool"),
        Some(_) => return None,
    };
    Some(Problem::new(path.key("dataset"), reason, format!("write a dataset such as {pool}/dormouse")))
}

fn fixed(machine: &Static, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(address(&machine.address, &path.key("address")));
    problems.extend(user(&machine.user, &path.key("user")));
    if let Some(key) = &machine.host_key
        && let Err(reason) = PublicKey::parse(key)
    {
        let fix = "copy one line of `ssh-keyscan -t ed25519 <address>`, without the address";
        problems.push(Problem::new(path.key("host_key"), reason, fix));
    }
}

/// A host name or an IP address that ssh takes as it is.
fn address(address: &str, path: &JsonPath) -> Option<Problem> {
    let refuse = |reason: String, fix: &str| Some(Problem::new(path.clone(), reason, fix));
    if let Some(problem) = text::line(address, path, "the address") {
        return Some(problem);
    }
    if address.parse::<Ipv6Addr>().is_ok() {
        return None;
    }
    if address.contains(':') {
        return refuse(
            format!("{address:?} is neither a host name nor an IP address"),
            "write the address alone; its port goes into ssh_port",
        );
    }
    if let Some(c) = address.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return refuse(format!("an address cannot hold {c:?}"), "write a host name or an IP address");
    }
    if address.starts_with(['-', '.']) || address.len() > 253 {
        return refuse(format!("{address:?} is no host name"), "write a host name or an IP address");
    }
    None
}

/// A user name as Linux takes it.
fn user(user: &str, path: &JsonPath) -> Option<Problem> {
    let starts_well = user.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_plain = user.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (!starts_well || !is_plain || user.len() > 31).then(|| {
        let fix = "write 1 to 31 letters, digits, `-`, `_` and `.`, a letter first";
        Problem::new(path.clone(), format!("{user:?} is no user name"), fix)
    })
}
