//! What hosts have claimed of a pool by what they sent, before its root kept copies unmounted.

use dormouse_generator::name::DatasetName;

use crate::archiver::{Archiver, NAMES};
use crate::ec2::machine::Machine;
use crate::error::Error;
use crate::exec::display;
use crate::log;
use crate::output::count;
use crate::zfs::{argv, kept};

/// How many are named of many.
const NAMED: usize = 3;

/// Takes back what mounts, shares or changes copies, and reports clones and holds that keep snapshots from being pruned.
///
/// # Errors
/// When zfs cannot be asked, or refuses.
pub(super) async fn take_back(machine: &Machine<'_>, archiver: &Archiver) -> Result<(), Error> {
    take_back_properties(machine, archiver).await?;
    report_clones(machine, archiver).await?;
    report_holds(machine, archiver).await
}

fn pool<'a>(machine: &Machine<'a>) -> &'a str {
    machine.archiver.pool.name.as_str()
}

async fn take_back_properties(machine: &Machine<'_>, archiver: &Archiver) -> Result<(), Error> {
    let set = archiver.command(&argv::list_set(pool(machine), &kept::properties())).await?;
    let targets: Vec<DatasetName> = machine.targets().into_values().flatten().collect();
    let harmful = kept::harmful(&set, &targets);
    for (dataset, property, value) in &harmful {
        let text = format!("{dataset} was set to {property}={value}; inheriting it from the pool");
        log::note(&format!("{}: {text}", machine.name));
    }
    let commands = harmful.iter().map(|(dataset, property, _)| argv::inherit(dataset, property));
    for some in commands.collect::<Vec<_>>().chunks(NAMES) {
        archiver.query_all(some).await?;
    }
    Ok(())
}

async fn report_clones(machine: &Machine<'_>, archiver: &Archiver) -> Result<(), Error> {
    let origins = archiver.command(&argv::list_origins(pool(machine))).await?;
    let clones = kept::foreign_clones(&origins, &machine.targets());
    for (clone, origin) in clones.iter().take(NAMED) {
        let text = format!("{}: {clone} is a clone of {origin}, which belongs to another host", machine.name);
        let destroy = display(&["zfs", "destroy", "-r", clone].map(str::to_owned));
        let help = format!("if no host needs it, as the archiver's root: `{destroy}`");
        log::warning(&text, Some(&help));
    }
    if clones.len() > NAMED {
        let more = clones.len() - NAMED;
        log::warning(&format!("{}: {more} more copies are such clones", machine.name), None);
    }
    Ok(())
}

async fn report_holds(machine: &Machine<'_>, archiver: &Archiver) -> Result<(), Error> {
    let held = kept::held(&archiver.command(&argv::list_holds(pool(machine))).await?);
    if held.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = held.iter().take(NAMED).cloned().collect();
    let more = if held.len() > NAMED { ", …" } else { "" };
    let list = format!("{}{more}", named.join(", "));
    let count = count(held.len(), "held snapshot");
    let text = format!("{}: retention never removes {count}: {list}", machine.name);
    let names = display(&argv::holds(&named));
    let help = format!("as the archiver's root: `{names}` lists the holds, `zfs release` removes one");
    log::warning(&text, Some(&help));
    Ok(())
}
