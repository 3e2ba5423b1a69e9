//! Replications that would write to, or read from, the same datasets.

use std::collections::{BTreeMap, BTreeSet};

use crate::json_path::JsonPath;
use crate::name::DatasetName;
use crate::problem::Problem;
use crate::reach;
use crate::spec::{Archiver, Host, Provider, Replication, Spec};

/// Replications by the dataset in question.
type ByDataset<'a> = BTreeMap<&'a str, (JsonPath, &'a Replication)>;

pub(super) fn check(spec: &Spec, problems: &mut Vec<Problem>) {
    let mut targets: BTreeMap<&str, ByDataset> = BTreeMap::new();
    for (host_name, host) in &spec.hosts {
        let mut sources: BTreeMap<&str, ByDataset> = BTreeMap::new();
        for (name, replication) in &host.replications {
            let path = JsonPath::of(&["hosts", host_name, "replications", name]);
            let archiver = replication.archiver.as_str();
            let by_target = targets.entry(archiver).or_default();
            add(by_target, replication.target.as_str(), "target", path.clone(), replication, problems);
            let by_source = sources.entry(archiver).or_default();
            add(by_source, replication.source.as_str(), "source", path, replication, problems);
        }
        sources.values().for_each(|replications| nested_sources(replications, problems));
    }
    targets.values().for_each(|replications| nested_targets(replications, problems));
    for (archiver, replications) in &targets {
        if spec.archivers.get(*archiver).is_some_and(Archiver::owns_mounts) {
            occupied_targets(replications, problems);
        }
    }
    same_numbers(spec, problems);
    shared_without_image(spec, problems);
}

/// Hosts that share an archiver without an image of its own. Whoever may launch a public image with the tags of the
/// archiver runs any code on the machine that gets the volume.
fn shared_without_image(spec: &Spec, problems: &mut Vec<Problem>) {
    for (name, archiver) in &spec.archivers {
        let Provider::Ec2(machine) = &archiver.provider else { continue };
        let uses = |host: &&Host| host.replications.values().any(|replication| replication.archiver == *name);
        let number = spec.hosts.values().filter(uses).count();
        if !machine.image.bake && number > 1 {
            let reason =
                format!("{number} hosts share {name}, and each could launch it with a system of its own");
            let at = JsonPath::of(&["archivers", name, "provider", "image", "bake"]);
            problems.push(Problem::new(at, reason, "leave it out, so that `dormouse up` makes an image"));
        }
    }
}

/// Users of one archiver that would have the same number, and so each other's rights.
fn same_numbers(spec: &Spec, problems: &mut Vec<Problem>) {
    let mut known: BTreeMap<(&str, u32), &str> = BTreeMap::new();
    for (host_name, host) in &spec.hosts {
        let is_ec2 = |name: &str| {
            matches!(spec.archivers.get(name).map(|archiver| &archiver.provider), Some(Provider::Ec2(_)))
        };
        let archivers: BTreeSet<&str> =
            host.replications.values().map(|replication| replication.archiver.as_str()).collect();
        let uid = reach::uid(host_name);
        for archiver in archivers.into_iter().filter(|name| is_ec2(name)) {
            let Some(other) = known.insert((archiver, uid), host_name) else { continue };
            let reason =
                format!("on {archiver}, this host's user would have the number of {other}'s user, {uid}");
            let path = JsonPath::of(&["hosts", host_name]);
            let problem = Problem::new(path, reason, "rename one of the two hosts").on_key();
            problems.push(problem.touching(JsonPath::of(&["hosts", other])));
            break;
        }
    }
}

fn add<'a>(
    known: &mut ByDataset<'a>,
    dataset: &'a str,
    field: &str,
    path: JsonPath,
    replication: &'a Replication,
    problems: &mut Vec<Problem>,
) {
    match known.get(dataset) {
        Some((other, _)) => {
            let archiver = &replication.archiver;
            let reason = format!("{other} has the same {field}, {dataset}, on its way to {archiver}");
            problems.push(depends(Problem::new(path.key(field), reason, fix(field)), field, &path, other));
        }
        None => {
            known.insert(dataset, (path, replication));
        }
    }
}

fn nested_targets(replications: &ByDataset, problems: &mut Vec<Problem>) {
    for (path, replication) in replications.values() {
        if let Some((other, outer)) = nearest_above(&replication.target, replications) {
            let reason =
                format!("{} lies within {}, the target of {other}", replication.target, outer.target);
            problems.push(depends(
                Problem::new(path.key("target"), reason, fix("target")),
                "target",
                path,
                other,
            ));
        }
    }
}

/// Targets of two hosts, of which one is the beginning of the other. `zfs receive` of a package appends a text
/// that the sender chooses to the name of the target (libzfs_sendrecv.c, `recv_skip` and its callers), so the
/// host with the shorter one could occupy the longer one before its first backup.
fn occupied_targets(replications: &ByDataset, problems: &mut Vec<Problem>) {
    for (name, (path, _)) in replications {
        let begins = |(other, (other_path, _)): &(&&str, &(JsonPath, &Replication))| {
            name.strip_prefix(**other).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
                && other_path.steps().get(1) != path.steps().get(1)
        };
        let Some((other, (other_path, _))) = replications.iter().find(begins) else { continue };
        let reason = format!("{name} begins with {other}, the target of {other_path}, which could occupy it");
        let fix = "give each host a dataset of its own for its targets, such as one named after the host";
        let problem = Problem::new(path.key("target"), reason, fix);
        problems.push(depends(problem, "target", path, other_path));
    }
}

/// A source may lie within another one that leaves it out.
fn nested_sources(replications: &ByDataset, problems: &mut Vec<Problem>) {
    for (path, replication) in replications.values() {
        let source = &replication.source;
        let Some((other, outer)) = nearest_above(source, replications) else { continue };
        let is_left_out = !outer.recursive || outer.exclude.iter().any(|excluded| excluded.covers(source));
        if !is_left_out {
            let reason =
                format!("{source} lies within {}, which {other} sends to the same archiver", outer.source);
            let problem = Problem::new(path.key("source"), reason, fix("source"))
                .touching(other.key("exclude"))
                .touching(other.key("recursive"));
            problems.push(depends(problem, "source", path, other));
        }
    }
}

/// The replication whose dataset is the nearest one above `dataset`.
fn nearest_above<'a>(
    dataset: &DatasetName,
    replications: &'a ByDataset<'a>,
) -> Option<&'a (JsonPath, &'a Replication)> {
    let mut above = dataset.parent();
    while let Some(parent) = above {
        if let Some(found) = replications.get(parent.as_str()) {
            return Some(found);
        }
        above = parent.parent();
    }
    None
}

fn depends(problem: Problem, field: &str, path: &JsonPath, other: &JsonPath) -> Problem {
    problem.touching(path.key("archiver")).touching(other.key("archiver")).touching(other.key(field))
}

fn fix(field: &str) -> &'static str {
    if field == "target" {
        "give each replication a target of its own, beside the others"
    } else {
        "replicate each dataset once, or exclude it from the outer replication"
    }
}
