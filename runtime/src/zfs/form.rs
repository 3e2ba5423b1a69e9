//! Whether streams are raw, that is, as an encrypted dataset lies on the disk.
//!
//! A chain of increments keeps the form in which it began. A plain stream onto a raw chain would
//! spoil it for every later raw one ("IV set guid mismatch", openzfs pull request 18784), and `zfs receive`
//! refuses a raw one onto a plain chain. An archiver that calls a raw copy plain must not get a plain stream.

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;

use super::Dataset;
use super::listing::Datasets;
use super::plan::{Refusal, Stream};

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
///
/// An encrypted dataset is sent plain only if the spec says so: where its key is loaded, `zfs send` without `-w`
/// decrypts. What the archiver says of its copy decides nothing else than which copies a spec that says
/// [`Raw::Never`] goes on with raw.
#[must_use]
pub fn are_raw<'a>(
    streams: impl IntoIterator<Item = &'a Stream>,
    source: &Dataset,
    copy: Option<&Dataset>,
    root: &DatasetName,
    wanted: Raw,
) -> bool {
    let begins = streams.into_iter().any(|stream| matches!(stream, Stream::Full { .. }));
    is_raw(source, copy.filter(|_| !begins), root, wanted)
}

/// Whether a stream is raw that builds on this copy, or on none.
#[must_use]
pub fn is_raw(source: &Dataset, base: Option<&Dataset>, root: &DatasetName, wanted: Raw) -> bool {
    match (source.is_encrypted(), wanted, base) {
        (false, ..) => false,
        (true, Raw::Auto | Raw::Always, _) => true,
        (true, Raw::Never, base) => base.is_some_and(|copy| is_chain_raw(copy, root)),
    }
}

/// Why increments are not sent: the copy is plain, or is said to be, and they would have to be raw.
#[must_use]
pub fn conflict<'a>(
    streams: impl IntoIterator<Item = &'a Stream>,
    source: &Dataset,
    copy: Option<&Dataset>,
    root: &DatasetName,
    wanted: Raw,
) -> Option<Refusal> {
    let mut streams = streams.into_iter().peekable();
    let builds = streams.peek().is_some() && !streams.any(|stream| matches!(stream, Stream::Full { .. }));
    let is_plain = copy.is_some_and(|copy| !is_chain_raw(copy, root));
    (builds && is_plain && is_wanted(source, wanted)).then_some(Refusal::PlainCopy)
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
    use proptest::prelude::*;

    use super::super::listing::Listing;
    use super::super::token::{Stale, Token};
    use super::super::{Guid, Snapshot, plan::Base};
    use super::*;

    fn newest() -> Snapshot {
        Snapshot { name: "b".to_owned(), guid: Guid(2), createtxg: 2, creation: 0, holds: 0, size: None }
    }

    fn dataset(name: &str, key: &str) -> Dataset {
        let line = format!("{name}\tfilesystem\t1\t{key}\t-\n");
        Listing::read(&line).unwrap().into_values().next().unwrap()
    }

    #[test]
    fn a_chain_keeps_its_form_and_a_new_one_has_the_form_that_is_asked_for() {
        let to = newest();
        let full = [Stream::Full { to: to.clone() }];
        let step = [Stream::Step { from: Base::Snapshot(to.clone()), to }];
        let root = DatasetName::new("vault/home").unwrap();
        let secret = dataset("tank/a", "tank/a");
        let raw = dataset("vault/home/a", "vault/home/a");
        let child = dataset("vault/home/a/b", "vault/home/a");
        let plain = dataset("vault/home/a", "-");
        let inherited = dataset("vault/home/a", "vault");
        let are_raw = |streams: &[Stream], copy, wanted| are_raw(streams, &secret, copy, &root, wanted);
        for wanted in [Raw::Auto, Raw::Always] {
            for copy in [None, Some(&raw), Some(&child), Some(&plain), Some(&inherited)] {
                assert!(are_raw(&full, copy, wanted) && are_raw(&step, copy, wanted));
            }
            let conflict = |streams: &[Stream], copy| conflict(streams, &secret, copy, &root, wanted);
            assert_eq!(conflict(&step, Some(&plain)), Some(Refusal::PlainCopy));
            assert_eq!(conflict(&step, Some(&inherited)), Some(Refusal::PlainCopy));
            assert_eq!((conflict(&step, Some(&child)), conflict(&full, Some(&plain))), (None, None));
            assert_eq!((conflict(&[], Some(&plain)), conflict(&step, None)), (None, None));
        }
        assert!(!are_raw(&full, Some(&raw), Raw::Never) && !are_raw(&full, None, Raw::Never));
        assert!(are_raw(&step, Some(&raw), Raw::Never) && !are_raw(&step, Some(&plain), Raw::Never));
        assert_eq!(conflict(&step, &secret, Some(&plain), &root, Raw::Never), None);
        let open = dataset("tank/a", "-");
        assert!(!super::are_raw(&full, &open, None, &root, Raw::Always), "there is nothing to keep raw");
        assert_eq!(conflict(&step, &open, Some(&plain), &root, Raw::Always), None);
    }

    #[test]
    fn no_token_for_a_plain_stream_of_an_encrypted_dataset_is_used() {
        let secret = Dataset { snapshots: vec![newest()], ..dataset("tank/a", "tank/a") };
        let (root, copy) = (DatasetName::new("vault/home").unwrap(), dataset("vault/home/a", "-"));
        let token = |raw| Token { to: Guid(2), to_name: "tank/a@b".to_owned(), from: None, bytes: 1, raw };
        for (base, wanted) in [(None, Raw::Auto), (Some(&copy), Raw::Auto), (Some(&copy), Raw::Always)] {
            let is_raw = super::is_raw(&secret, base, &root, wanted);
            assert_eq!(token(false).check(&secret, is_raw), Err(Stale::Rawness { raw: false }));
            assert_eq!(token(true).check(&secret, is_raw), Ok(()));
        }
    }

    proptest! {
        /// Whatever an archiver prints: a copy's line, the place of the copies, and any streams.
        #[test]
        fn nothing_that_an_archiver_says_makes_an_encrypted_dataset_plain(
            name in "vault/[a-z/]{1,8}[a-z]", key in "-|[a-z]{1,8}|vault/[a-z/]{1,8}[a-z]|[ -~]{1,12}",
            token in "-|1-[0-9a-f]{1,9}", begins: bool, builds: bool, is_there: bool, always: bool,
        ) {
            let listed = Listing::read(&format!("{name}\tfilesystem\t1\t{key}\t{token}\n")).unwrap_or_default();
            let copy = listed.values().next().filter(|_| is_there);
            let (to, root) = (newest(), DatasetName::new("vault").unwrap());
            let mut streams = vec![];
            streams.extend(begins.then(|| Stream::Full { to: to.clone() }));
            streams.extend(builds.then(|| Stream::Step { from: Base::Snapshot(to.clone()), to: to.clone() }));
            let wanted = if always { Raw::Always } else { Raw::Auto };
            let (secret, open) = (dataset("tank/a", "tank/a"), dataset("tank/a", "-"));
            prop_assert!(super::are_raw(&streams, &secret, copy, &root, wanted));
            prop_assert!(super::is_raw(&secret, copy, &root, wanted));
            for wanted in [Raw::Auto, Raw::Always, Raw::Never] {
                prop_assert!(!super::are_raw(&streams, &open, copy, &root, wanted));
            }
        }
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
