//! What hosts have claimed of a pool by what they sent, before its root kept copies unmounted.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;

use crate::archiver::{Archiver, NAMES};
use crate::ec2::machine::Machine;
use crate::error::Error;
use crate::exec::display;
use crate::log;
use crate::zfs::{argv, kept};

/// How many are named of many.
const NAMED: usize = 3;

/// Takes back what mounts, shares or changes copies, and reports holds and clones that are in nobody's interest.
///
/// # Errors
/// When zfs cannot be asked, or refuses.
pub(super) async fn take_back(machine: &Machine<'_>, archiver: &Archiver) -> Result<(), Error> {
    let (pool, name) = (machine.archiver.pool.name.as_str(), machine.name);
    let targets = targets(machine);
    let all: Vec<DatasetName> = targets.values().flatten().cloned().collect();
    let set = archiver.command(&argv::list_set(pool, &kept::properties())).await?;
    let harmful = kept::harmful(&set, &all);
    for (dataset, property, value) in &harmful {
        log::note(&format!("{name}: {dataset} was set to {property}={value}; inheriting it from the pool"));
    }
    let commands: Vec<Vec<String>> =
        harmful.iter().map(|(dataset, property, _)| argv::inherit(dataset, property)).collect();
    for some in commands.chunks(NAMES) {
        archiver.query_all(some).await?;
    }
    for (clone, origin) in kept::foreign_clones(&archiver.command(&argv::list_origins(pool)).await?, &targets)
    {
        let help = "see what it is; if no host needs it, as the archiver's root: `zfs destroy -r`";
        let text = format!("{name}: {clone} is a clone of {origin}, which belongs to another host");
        log::warning(&text, Some(&format!("{help} {clone}")));
    }
    let held = kept::held(&archiver.command(&argv::list_holds(pool)).await?);
    if !held.is_empty() {
        let named: Vec<String> = held.iter().take(NAMED).cloned().collect();
        let text = format!(
            "{name}: {} snapshots are held, so retention never removes them: {}{}",
            held.len(),
            named.join(", "),
            if held.len() > NAMED { ", …" } else { "" }
        );
        let help = format!(
            "as the archiver's root: `{}` names each hold, `zfs release` ends it",
            display(&argv::holds(&named))
        );
        log::warning(&text, Some(&help));
    }
    Ok(())
}

/// The targets on this archiver, by host.
fn targets(machine: &Machine<'_>) -> BTreeMap<String, Vec<DatasetName>> {
    let mut all = BTreeMap::<String, Vec<DatasetName>>::new();
    for (host_name, host) in &machine.context.spec.hosts {
        let replications = host.replications.values().filter(|each| each.archiver == machine.name);
        all.entry(host_name.clone()).or_default().extend(replications.map(|each| each.target.clone()));
    }
    all
}
