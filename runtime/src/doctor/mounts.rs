//! What a static archiver's root lets hosts do: whether it keeps copies unmounted and read-only, and has a gate.

use dormouse_generator::name::DatasetName;
use dormouse_generator::reach::{KEPT, RIGHTS};
use dormouse_generator::spec::{Archiver as Spec, Provider, Static};

use super::finding::Finding;
use crate::archiver::Archiver;
use crate::error::Error;
use crate::exec;

/// Looks at a static archiver.
pub(super) async fn examine(name: &str, spec: &Spec, archiver: &Archiver) -> Vec<Finding> {
    let Provider::Static(machine) = &spec.provider else { return vec![] };
    let gate = (!machine.gate).then(|| {
        let text =
            "a host's key starts any command there that its user may start, and so can destroy backups";
        let fix = "write `\"gate\": true` to the provider; docs/nas.md says how to install it";
        Finding::note(format!("gate of {name}"), text, fix)
    });
    std::iter::once(copies(name, spec, machine, archiver).await).chain(gate).collect()
}

/// The dataset above all targets.
async fn copies(name: &str, spec: &Spec, machine: &Static, archiver: &Archiver) -> Finding {
    let check = format!("copies on {name}");
    let Some(dataset) = &machine.dataset else {
        return recommendation(check, spec.pool.name.as_str(), &machine.user);
    };
    let columns = KEPT.map(|(property, _)| property).join(",");
    let list = ["zfs", "list", "-H", "-d", "0", "-o", &columns, dataset.as_str()];
    match archiver.query(&list).await {
        Ok(line) => kept(check, dataset, &line),
        Err(Error::Program(error)) => {
            let fix = format!("as root on the archiver: `{}`", creation(dataset.as_str(), &machine.user));
            Finding::bad(check, exec::text(error.stderr()), fix)
        }
        Err(error) => super::archiver::of_error(&check, &error),
    }
}

/// Compares the line of `zfs list` with what must be set.
fn kept(check: String, dataset: &DatasetName, line: &str) -> Finding {
    let values: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    let wrong: Vec<String> = KEPT
        .iter()
        .zip(values.iter().chain(std::iter::repeat(&"-")))
        .filter(|((_, wanted), value)| wanted != *value)
        .map(|((property, wanted), _)| format!("{property}={wanted}"))
        .collect();
    if wrong.is_empty() {
        return Finding::good(check, format!("{dataset} keeps them unmounted and read-only"));
    }
    let text =
        format!("{dataset} lacks {}, so what a host sends could be mounted or changed", wrong.join(", "));
    Finding::bad(check, text, format!("as root on the archiver: `zfs set {} {dataset}`", wrong.join(" ")))
}

fn recommendation(check: String, pool: &str, user: &str) -> Finding {
    let dataset = format!("{pool}/dormouse");
    let text = "each host decides how its copies are mounted there";
    let fix = format!(
        "as root on the archiver: `{}`, then `zfs rename` the targets below {dataset}, and in the spec write \
         `\"dataset\": \"{dataset}\"` to the provider and the new targets",
        creation(&dataset, user)
    );
    Finding::note(check, text, fix)
}

/// Root's commands for a dataset that keeps what is below unmounted.
fn creation(dataset: &str, user: &str) -> String {
    let options = KEPT.map(|(property, value)| format!("-o {property}={value} ")).concat();
    format!("zfs create {options}{dataset} && zfs allow -u {user} {RIGHTS} {dataset}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn a_dataset_that_keeps_nothing_is_named_with_what_it_lacks() {
        let dataset = DatasetName::new("tank/dormouse").unwrap();
        let finding = |line: &str| kept("copies".to_owned(), &dataset, line);
        assert_eq!(finding("off\tfalse\tnone\ton\tnone\n").state, State::Good);
        let bad = finding("on\tfalse\t/tank/dormouse\ton\tnone\n");
        assert_eq!(bad.state, State::Bad);
        assert_eq!(
            bad.fix.unwrap(),
            "as root on the archiver: `zfs set canmount=off mountpoint=none tank/dormouse`"
        );
        assert_eq!(finding("").state, State::Bad, "a line without values is not a good one");
    }
}
