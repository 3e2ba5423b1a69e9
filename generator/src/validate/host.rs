//! One host and its replications.

use super::{archiver::epoch, text};
use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::{Archiver, Host, OnConflict, Provider, Replication, Spec, Static};
use crate::suggest;

/// Bounds of a run's time in seconds: a minute to wake an archiver at the very least, and a
/// month, after which a run that still goes on is certainly stuck.
const TIMEOUT: std::ops::RangeInclusive<u64> = 60..=31 * 86_400;

/// Bounds of `parallel_streams`. By default sshd drops logins at random once more than ten are pending
/// (sshd_config(5), `MaxStartups`), and each stream needs 3 MiB of pipes here.
const STREAMS: std::ops::RangeInclusive<u32> = 1..=16;

pub(super) fn check(spec: &Spec, host: &Host, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(epoch(host.epoch, path));
    if let Some(folder) = &host.secrets_dir {
        problems.extend(secrets_dir(folder, &path.key("secrets_dir")));
    }
    if let Some(report) = &host.report {
        super::report::check(report, &path.key("report"), problems);
    }
    for (name, replication) in &host.replications {
        let path = path.key("replications").key(name);
        problems.extend(text::key(name, &path, "a replication's name"));
        check_replication(spec, replication, &path, problems);
    }
}

fn secrets_dir(folder: &str, path: &JsonPath) -> Option<Problem> {
    let what = "the secrets folder";
    text::secret_path(folder, path, what, true).or_else(|| {
        // ssh_config knows no way to write these: quotes have no escape before OpenSSH 8.7, and
        // `${` always begins a variable.
        let forbidden = ["\"", "${", r"\\", r"\'"].into_iter().find(|part| folder.contains(part))?;
        let reason = format!("{what} cannot hold `{forbidden}`, which ssh_config cannot express");
        Some(Problem::new(path.clone(), reason, "choose another folder, or link to it from one"))
    })
}

fn check_replication(spec: &Spec, replication: &Replication, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(target(spec, replication, path));
    excludes(replication, path, problems);
    problems.extend(triggers(replication, path));
    snapshot_names(replication, path, problems);
    follow_delete(spec, replication, path, problems);
    beyond_the_gate(spec, replication, path, problems);
    let streams = replication.parallel_streams;
    if !STREAMS.contains(&streams) {
        let reason = format!("a replication sends 1 to 16 streams at once, not {streams}");
        problems.push(Problem::new(path.key("parallel_streams"), reason, "write 4, or leave it out"));
    }
    let timeout = replication.timeout;
    if !TIMEOUT.contains(&timeout.as_secs()) {
        let reason = format!("a run gets between one minute and 31 days, not {timeout}");
        problems.push(Problem::new(path.key("timeout"), reason, "write a time such as 25h"));
    }
    for (field, commands) in
        [("exec_start_pre", &replication.exec_start_pre), ("exec_stop_post", &replication.exec_stop_post)]
    {
        for (index, command) in commands.iter().enumerate() {
            problems.extend(text::line(command, &path.key(field).index(index), "the command"));
        }
    }
}

fn follow_delete(spec: &Spec, replication: &Replication, path: &JsonPath, problems: &mut Vec<Problem>) {
    let name = &replication.archiver;
    let is_ec2 = |name| matches!(spec.archivers.get(name), Some(Archiver { provider: Provider::Ec2(_), .. }));
    if replication.follow_delete && is_ec2(name) {
        let reason = format!("no host may destroy anything on {name:?}, which is on EC2");
        let at = path.key("follow_delete");
        let fix = format!("leave it out; `retention` of {name:?} says how many snapshots it keeps");
        let problem = Problem::new(at, reason, fix);
        problems.push(problem.touching(path.key("archiver")));
    }
    let at = path.key("follow_delete_names");
    let names = &replication.follow_delete_names;
    if replication.follow_delete && names.is_empty() {
        let reason = "nothing would ever be deleted";
        problems.push(Problem::new(at.clone(), reason, "name snapshots, such as \"zfs-auto-snap_*\""));
    }
    patterns(names, &at, problems);
}

/// A gate starts nothing that destroys or renames.
fn beyond_the_gate(spec: &Spec, replication: &Replication, path: &JsonPath, problems: &mut Vec<Problem>) {
    let name = &replication.archiver;
    let Some(Provider::Static(Static { gate: true, .. })) =
        spec.archivers.get(name).map(|archiver| &archiver.provider)
    else {
        return;
    };
    let gate = JsonPath::of(&["archivers", name, "provider", "gate"]);
    let mut refuse = |field: &str, does: &str, instead: &str| {
        let reason = format!("the gate of {name:?} lets no host {does} anything there");
        let problem = Problem::new(path.key(field), reason, instead);
        problems.push(problem.touching(path.key("archiver")).touching(gate.clone()));
    };
    if replication.follow_delete {
        refuse("follow_delete", "destroy", "leave it out, or remove \"gate\" from the archiver");
    }
    if replication.on_conflict == OnConflict::SetAside {
        refuse("on_conflict", "rename", "leave it out, or remove \"gate\" from the archiver");
    }
}

fn snapshot_names(replication: &Replication, path: &JsonPath, problems: &mut Vec<Problem>) {
    let Replication { snapshot_names: sent, exclude_snapshot_names: excluded, .. } = replication;
    let (at, at_excluded) = (path.key("snapshot_names"), path.key("exclude_snapshot_names"));
    if sent.is_empty() || excluded.iter().any(|pattern| pattern == "*") {
        let at = if sent.is_empty() { &at } else { &at_excluded };
        let reason = "nothing would ever be sent";
        problems.push(Problem::new(at.clone(), reason, "name snapshots, such as \"zfs-auto-snap_*\""));
    }
    patterns(sent, &at, problems);
    patterns(excluded, &at_excluded, problems);
}

/// Names of snapshots, in which `*` stands for anything.
fn patterns(names: &[String], at: &JsonPath, problems: &mut Vec<Problem>) {
    for (index, name) in names.iter().enumerate() {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_.: *".contains(c);
        if name.is_empty() || name.contains("**") || !name.chars().all(is_legal) {
            let reason = format!("no snapshot has a name such as {name:?}");
            let fix = "write letters, digits, `-_.: ` and `*`, without the dataset";
            problems.push(Problem::new(at.index(index), reason, fix));
        }
    }
}

fn target(spec: &Spec, replication: &Replication, path: &JsonPath) -> Option<Problem> {
    let Replication { archiver: name, target, .. } = replication;
    let at = path.key("target");
    let Some(archiver) = spec.archivers.get(name) else {
        let fix = suggest::one_of(name, spec.archivers.keys().map(String::as_str));
        let at = path.key("archiver");
        let archiver = JsonPath::of(&["archivers", name]);
        return Some(Problem::new(at, format!("no archiver is named {name:?}"), fix).touching(archiver));
    };
    let pool = &archiver.pool.name;
    let depends = |problem: Problem| {
        problem.touching(path.key("archiver")).touching(JsonPath::of(&["archivers", name, "pool", "name"]))
    };
    if let Provider::Static(machine) = &archiver.provider
        && let Some(dataset) = &machine.dataset
        && (target == dataset || !target.is_within(dataset))
    {
        let reason = format!("{target} lies outside {dataset}, below which {name} keeps copies unmounted");
        let problem = Problem::new(at, reason, format!("write {dataset}/…"));
        let field = JsonPath::of(&["archivers", name, "provider", "dataset"]);
        return Some(problem.touching(path.key("archiver")).touching(field));
    }
    if target.pool() != pool.as_str() {
        let reason = format!("{target} lies outside {pool}, the pool of {name}");
        return Some(depends(Problem::new(at, reason, format!("write {pool}/…"))));
    }
    target.parent().is_none().then(|| {
        let reason = "a target lies below the pool's root dataset";
        depends(Problem::new(at, reason, format!("write {pool}/…")))
    })
}

fn excludes(replication: &Replication, path: &JsonPath, problems: &mut Vec<Problem>) {
    let source = &replication.source;
    for (index, excluded) in replication.exclude.iter().enumerate() {
        let at = path.key("exclude").index(index);
        let refused = match excluded.relative_to(source) {
            Some("") => Problem::new(at, "this is the source itself", "remove the replication instead"),
            None => {
                let reason = format!("{excluded} does not lie below the source, {source}");
                Problem::new(at, reason, "write a dataset below the source, or remove it")
            }
            Some(_) => continue,
        };
        problems.push(refused.touching(path.key("source")));
    }
    if !replication.recursive && !replication.exclude.is_empty() {
        let reason = "nothing is excluded from a replication that is not recursive";
        let problem = Problem::new(path.key("exclude"), reason, "remove it, or write \"recursive\": true");
        problems.push(problem.warning().touching(path.key("recursive")));
    }
}

fn triggers(replication: &Replication, path: &JsonPath) -> Vec<Problem> {
    let at = path.key("after");
    let after = &replication.after;
    if after.is_empty() {
        let reason = "the replication would never run";
        return vec![Problem::new(at, reason, "name snapshot classes, or leave it out for all")];
    }
    let is_repeated = |index: &usize| after[..*index].contains(&after[*index]);
    (0..after.len())
        .filter(is_repeated)
        .map(|index| Problem::new(at.index(index), "this class is named twice", "remove one of the two"))
        .collect()
}
