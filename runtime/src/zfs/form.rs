//! Whether streams are raw, that is, as an encrypted dataset lies on the disk.
//!
//! A chain of increments keeps the form in which it began. A plain stream onto a raw chain would
//! spoil it for every later raw one ("IV set guid mismatch", openzfs pull request 18784), and a raw
//! one onto a plain chain is refused.

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;

use super::Dataset;
use super::listing::Datasets;
use super::plan::Stream;

/// Whether a first stream is raw: only an encrypted dataset can be sent so.
#[must_use]
pub fn is_wanted(source: &Dataset, wanted: Raw) -> bool {
    source.is_encrypted() && wanted != Raw::Never
}

/// Whether the copy of an encrypted dataset was received raw. Then its key is one of the host's: its
/// encryption root is a copy too, at or below `root`, where all copies are. A plain stream takes on
/// the key of a dataset of the archiver's, or none.
#[must_use]
pub fn is_chain_raw(copy: &Dataset, root: &DatasetName) -> bool {
    let key = copy.encryption_root.clone().and_then(|key| DatasetName::new(key).ok());
    key.is_some_and(|key| key.is_within(root))
}

/// Whether these streams, which follow each other, are raw.
#[must_use]
pub fn are_raw<'a>(
    streams: impl IntoIterator<Item = &'a Stream>,
    source: &Dataset,
    copy: Option<&Dataset>,
    root: &DatasetName,
    wanted: Raw,
) -> bool {
    let begins = streams.into_iter().any(|stream| matches!(stream, Stream::Full { .. }));
    match copy {
        Some(copy) if !begins => source.is_encrypted() && is_chain_raw(copy, root),
        _ => is_wanted(source, wanted),
    }
}

/// Whether the copy above the one at `target` is raw, or will be: its key is on the host, so that a plain
/// copy has to be made without it.
#[must_use]
pub fn is_below_raw(
    (source, target): (&DatasetName, &DatasetName),
    (here, there): (&Datasets, &Datasets),
    root: &DatasetName,
    wanted: Raw,
) -> bool {
    let above = |name: &DatasetName, all: &Datasets| name.parent().and_then(|name| all.get(&name).cloned());
    match above(target, there) {
        Some(copy) => is_chain_raw(&copy, root),
        None => above(source, here).is_some_and(|source| is_wanted(&source, wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::listing::Listing;
    use super::super::{Guid, Snapshot, plan::Base};
    use super::*;

    fn dataset(name: &str, key: &str) -> Dataset {
        let line = format!("{name}\tfilesystem\t1\t{key}\t-\n");
        Listing::read(&line).unwrap().into_values().next().unwrap()
    }

    #[test]
    fn a_chain_keeps_its_form_and_a_new_one_has_the_form_that_is_asked_for() {
        let to =
            Snapshot { name: "b".to_owned(), guid: Guid(2), createtxg: 2, creation: 0, holds: 0, size: None };
        let full = [Stream::Full { to: to.clone() }];
        let step = [Stream::Step { from: Base::Snapshot(to.clone()), to }];
        let root = DatasetName::new("vault/home").unwrap();
        let secret = dataset("tank/a", "tank/a");
        let raw = dataset("vault/home/a", "vault/home/a");
        let child = dataset("vault/home/a/b", "vault/home/a");
        let plain = dataset("vault/home/a", "-");
        let inherited = dataset("vault/home/a", "vault");
        let are_raw = |streams: &[Stream], copy, wanted| are_raw(streams, &secret, copy, &root, wanted);
        for wanted in [Raw::Auto, Raw::Always, Raw::Never] {
            assert_eq!(are_raw(&full, None, wanted), wanted != Raw::Never);
            assert_eq!(are_raw(&full, Some(&plain), wanted), wanted != Raw::Never);
            assert!(are_raw(&step, Some(&raw), wanted) && are_raw(&step, Some(&child), wanted));
            assert!(!are_raw(&step, Some(&plain), wanted) && !are_raw(&step, Some(&inherited), wanted));
        }
        let open = dataset("tank/a", "-");
        assert!(!super::are_raw(&full, &open, None, &root, Raw::Always), "there is nothing to keep raw");
    }

    #[test]
    fn what_lies_below_a_raw_copy_is_told_by_that_copy_or_by_what_it_will_be() {
        let all = |datasets: &[&Dataset]| -> Datasets {
            datasets.iter().map(|&dataset| (dataset.name.clone(), dataset.clone())).collect()
        };
        let name = |text: &str| DatasetName::new(text).unwrap();
        let (source, target, root) = (name("tank/a/b"), name("vault/home/a/b"), name("vault/home"));
        let is_below = |here: &Datasets, there: &[&Dataset], wanted| {
            is_below_raw((&source, &target), (here, &all(there)), &root, wanted)
        };
        let secret = all(&[&dataset("tank/a", "tank/a")]);
        let raw = dataset("vault/home/a", "vault/home/a");
        for others in [dataset("vault/home/a", "-"), dataset("vault/home/a", "vault")] {
            assert!(is_below(&secret, &[&raw], Raw::Never) && !is_below(&secret, &[&others], Raw::Auto));
        }
        assert!(is_below(&secret, &[], Raw::Auto) && !is_below(&secret, &[], Raw::Never));
        let open = all(&[&dataset("tank/a", "-")]);
        assert!(!is_below(&open, &[], Raw::Always) && !is_below(&Datasets::new(), &[], Raw::Always));
    }
}
