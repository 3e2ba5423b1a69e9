//! Archivers that ssh could not tell apart.

use std::collections::BTreeMap;

use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::{Archiver, Provider, Spec, Static};

pub(super) fn check(spec: &Spec, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<(&str, u16), (&str, &Static)> = BTreeMap::new();
    for (name, archiver) in &spec.archivers {
        let Provider::Static(machine) = &archiver.provider else { continue };
        let at = JsonPath::of(&["archivers", name, "provider", "address"]);
        problems.extend(named_like_another(spec, name, machine, &at));
        match seen.insert((&machine.address, archiver.ssh_port), (name, machine)) {
            Some((other, twin)) if machine.host_key.is_none() || machine.host_key != twin.host_key => {
                problems.push(same_machine(name, other, archiver, machine, at));
            }
            _ => {}
        }
    }
}

/// `ssh nas` must not be answered by the keys of two archivers.
fn named_like_another(spec: &Spec, name: &str, machine: &Static, at: &JsonPath) -> Option<Problem> {
    let is_taken = machine.address != name && spec.archivers.contains_key(&machine.address);
    is_taken.then(|| {
        let reason = format!("the address {:?} is the name of another archiver", machine.address);
        Problem::new(at.clone(), reason, "rename that archiver, or write an IP address or a full host name")
    })
}

/// One ssh server has one host key.
fn same_machine(name: &str, other: &str, archiver: &Archiver, machine: &Static, at: JsonPath) -> Problem {
    let reason = format!(
        "{name} and {other} are both {} port {}, with different host keys",
        machine.address, archiver.ssh_port
    );
    let key = JsonPath::of(&["archivers", other, "provider"]);
    Problem::new(at, reason, "give both the same host_key, or make them one archiver")
        .touching(key)
        .touching(JsonPath::of(&["archivers", name]))
}
