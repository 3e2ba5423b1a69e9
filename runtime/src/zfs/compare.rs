//! Whether a copy is what the host sent, by the histories of both sides.

use dormouse_generator::name::DatasetName;

use super::cursor::Cursors;
use super::plan::{self, Decision, Refusal};
use super::{Dataset, Guid, Snapshot};

/// How far the sizes of one snapshot may lie apart, in bytes, and as a part of the bigger one: a copy
/// has the same data, but not always the same metadata.
const SLACK: u64 = 1 << 20;
const SLACK_PART: u64 = 64;

/// What both sides have of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How many snapshots the host has.
    pub here: usize,
    /// How many the archiver has.
    pub there: usize,
    /// How many both have.
    pub both: usize,
    /// The newest that both have.
    pub newest: Option<Snapshot>,
    /// How many the next run would send.
    pub behind: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be. No run does that; a person should look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The copy is not there any more.
    #[error("the archiver had a copy of it and has none now")]
    Gone,
    /// A snapshot is not there any more that no retention lets go.
    #[error("the archiver had seen its snapshot with guid {0} and does not have it now")]
    Lost(Guid),
    /// Increments cannot go on.
    #[error(transparent)]
    Parted(Refusal),
    /// A snapshot refers to more or less data than its copy.
    #[error("@{name} refers to {here} bytes here and to {there} bytes on the archiver")]
    Resized {
        /// Its name.
        name: String,
        /// Bytes before compression, here.
        here: u64,
        /// Bytes before compression, on the archiver.
        there: u64,
    },
}

/// Compares a dataset with its copy, both with all of their snapshots. `former` is the copy that goes by
/// the name that the dataset had before it was renamed.
#[must_use]
pub fn compare(
    source: &Dataset,
    copy: Option<&Dataset>,
    former: Option<&DatasetName>,
    cursors: &Cursors,
) -> Comparison {
    let mut findings = Vec::new();
    let acknowledged = cursors.acknowledged(source);
    match (copy, acknowledged) {
        (None, Some(_)) => findings.push(
            former.map_or(Finding::Gone, |from| Finding::Parted(Refusal::Renamed { from: from.clone() })),
        ),
        (Some(copy), Some(guid)) if copy.snapshot(guid).is_none() => findings.push(Finding::Lost(guid)),
        _ => {}
    }
    let pairs: Vec<(&Snapshot, &Snapshot)> = copy.map_or_else(Vec::new, |copy| {
        source.snapshots.iter().filter_map(|ours| Some((ours, copy.snapshot(ours.guid)?))).collect()
    });
    findings.extend(pairs.iter().filter_map(|(ours, theirs)| resized(ours, theirs)));
    // What has arrived of an unfinished stream says nothing of what is there.
    let copy = copy.map(|copy| Dataset { token: None, ..copy.clone() });
    let behind = match plan::decide(source, copy.as_ref().filter(|copy| !copy.snapshots.is_empty())) {
        Decision::Send(streams) => streams.iter().map(plan::Stream::count).sum(),
        Decision::Refused(refusal) => {
            findings.push(Finding::Parted(refusal));
            0
        }
        Decision::NothingToSend | Decision::Placeholder | Decision::UpToDate(_) | Decision::Resume { .. } => {
            0
        }
    };
    Comparison {
        here: source.snapshots.len(),
        there: copy.map_or(0, |copy| copy.snapshots.len()),
        both: pairs.len(),
        newest: pairs.last().map(|(ours, _)| (*ours).clone()),
        behind,
        findings,
    }
}

fn resized(ours: &Snapshot, theirs: &Snapshot) -> Option<Finding> {
    let (here, there) = (ours.size?, theirs.size?);
    let far = here.abs_diff(there) > SLACK + here.max(there) / SLACK_PART;
    far.then(|| Finding::Resized { name: ours.name.clone(), here, there })
}

#[cfg(test)]
mod tests {
    use super::super::listing::Listing;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn dataset(name: &str, snapshots: &[(&str, u64, u64)], cursor: Option<u64>) -> Dataset {
        let snapshots = snapshots
            .iter()
            .map(|(snapshot, guid, size)| format!("{name}@{snapshot}\t{guid}\t{guid}\t{guid}\t0\t{size}\n"));
        let cursor =
            cursor.map(|guid| format!("{name}#dormouse_lab_nas_{guid}\t{guid}\t{guid}\t{guid}\t-\t-\n"));
        let text: String = snapshots.chain(cursor).collect();
        let text = format!("{name}\tfilesystem\t1\t-\t-\n{text}");
        Listing::read(&text).unwrap().into_values().next().unwrap()
    }

    fn compared(source: &Dataset, copy: Option<&Dataset>) -> Comparison {
        compare(source, copy, None, &Cursors::new("lab", "nas"))
    }

    #[test]
    fn what_is_as_it_should_be_gives_no_findings() {
        let source = dataset("tank/a", &[("one", 1, MIB), ("two", 2, 64 * MIB), ("three", 3, MIB)], Some(2));
        // Metadata may differ a little, and what was let go on either side is nobody's loss.
        let copy = dataset("vault/a", &[("zero", 9, 0), ("two", 2, 65 * MIB)], None);
        let all = compared(&source, Some(&copy));
        assert_eq!((all.here, all.there, all.both, all.behind), (3, 2, 1, 1));
        assert_eq!((all.newest.unwrap().name.as_str(), all.findings), ("two", vec![]));
        let fresh = compared(&dataset("tank/a", &[("one", 1, 0)], None), None);
        assert_eq!((fresh.both, fresh.behind, fresh.findings), (0, 1, vec![]));
        assert_eq!(compared(&dataset("tank/a", &[], None), None).findings, vec![]);
    }

    #[test]
    fn an_unfinished_receive_is_nothing_to_find() {
        let source = dataset("tank/a", &[("one", 1, 0), ("two", 2, 0)], Some(1));
        let token = Some("1-abc".to_owned());
        let copy = Dataset { token: token.clone(), ..dataset("vault/a", &[("one", 1, 0)], None) };
        let all = compared(&source, Some(&copy));
        assert_eq!((all.behind, all.findings), (1, vec![]));
        let first = Dataset { token, ..dataset("vault/a", &[], None) };
        let all = compared(&dataset("tank/a", &[("one", 1, 0)], None), Some(&first));
        assert_eq!((all.behind, all.findings), (1, vec![]));
    }

    #[test]
    fn what_is_lost_or_other_is_found() {
        let source = dataset("tank/a", &[("one", 1, MIB), ("two", 2, 64 * MIB)], Some(2));
        assert_eq!(compared(&source, None).findings, [Finding::Gone]);
        let from = DatasetName::new("vault/before").unwrap();
        let renamed = compare(&source, None, Some(&from), &Cursors::new("lab", "nas")).findings;
        assert_eq!(renamed, [Finding::Parted(Refusal::Renamed { from })]);
        let older = dataset("vault/a", &[("one", 1, MIB)], None);
        assert_eq!(compared(&source, Some(&older)).findings, [Finding::Lost(Guid(2))]);
        let other = dataset("vault/a", &[("one", 8, MIB)], None);
        let findings = compared(&source, Some(&other)).findings;
        assert!(
            matches!(
                findings[..],
                [Finding::Lost(Guid(2)), Finding::Parted(Refusal::NoCommonSnapshot { .. })]
            ),
            "{findings:?}"
        );
        let holes = dataset("vault/a", &[("one", 1, MIB), ("two", 2, 32 * MIB)], None);
        let resized = Finding::Resized { name: "two".to_owned(), here: 64 * MIB, there: 32 * MIB };
        assert_eq!(compared(&source, Some(&holes)).findings, [resized]);
    }
}
