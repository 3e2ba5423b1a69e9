//! The first record of a stream, which says what the stream does to the host that receives it.
//!
//! `zfs receive` obeys its stream: a package (`zfs send -p`, `-R`) sets properties and makes more datasets,
//! and a clone names another dataset as its origin. A host that runs it as root must know the stream first.
//! A stream of one snapshot says all of that in its first record (`dmu_replay_record` in OpenZFS'
//! sys/zfs_ioctl.h).

use super::{Guid, Kind};

/// The length of a record, in bytes.
pub const LENGTH: usize = 312;

/// A first record.
pub type Record = [u8; LENGTH];

/// `DMU_BACKUP_MAGIC`.
const MAGIC: u64 = 0x2_f5ba_cbac;

/// `DRR_BEGIN`, `DMU_SUBSTREAM` and `DMU_COMPOUNDSTREAM`, `DRR_FLAG_CLONE`.
const BEGIN: u32 = 0;
const SUBSTREAM: u64 = 1;
const PACKAGE: u64 = 2;
const CLONE: u32 = 1;

/// `DMU_BACKUP_FEATURE_…`.
const DEDUP: u64 = 0b11;
const RESUMING: u64 = 1 << 20;
const REDACTED: u64 = 1 << 21;
const RAW: u64 = 1 << 24;
const HOLDS: u64 = 1 << 26;

/// The longest payload: wrapped keys have about 1 KiB, and the place to resume from less.
const LONGEST: u32 = 64 << 10;

/// The stream that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The snapshot, `dataset@snapshot` as the sender calls it.
    pub name: String,
    /// The snapshot's identity.
    pub to: Guid,
    /// The identity of the increment's base; none for a full stream.
    pub from: Option<Guid>,
    /// Whether it is a filesystem or a zvol.
    pub kind: Kind,
    /// Whether it becomes a clone of its base.
    pub clone: bool,
    /// Whether it is raw.
    pub raw: bool,
    /// Whether it is the rest of an interrupted stream.
    pub resumed: bool,
}

/// What a sender sent instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It ends before its first record does.
    #[error("sent {0} bytes, which are not a stream")]
    Short(usize),
    /// It is something else.
    #[error("sent something other than a ZFS stream")]
    NotAStream,
    /// It is a package, which sets properties and makes datasets.
    #[error("sent a package, which can set properties and make other datasets")]
    Package,
    /// It is deduplicated, redacted or carries holds.
    #[error("sent a stream with features that were not asked for ({0:#x})")]
    Features(u64),
    /// It is of another dataset or snapshot.
    #[error("sent {found:?} instead of {wanted:?}")]
    Name {
        /// The name in the stream.
        found: String,
        /// The name that was asked for.
        wanted: String,
    },
    /// It is another snapshot of the same name.
    #[error("sent another snapshot under the same name (GUID {found}, not {wanted})")]
    Identity {
        /// The GUID in the stream.
        found: Guid,
        /// The GUID that was asked for.
        wanted: Guid,
    },
    /// It builds on another snapshot; GUID 0 stands for none.
    #[error("sent a stream that builds on another snapshot (GUID {found}, not {wanted})")]
    Base {
        /// The GUID in the stream.
        found: Guid,
        /// The GUID that was asked for.
        wanted: Guid,
    },
    /// It makes a clone, or was expected to.
    #[error("sent a stream that {} a clone", if *.found { "makes" } else { "does not make" })]
    Clone {
        /// Whether it makes one.
        found: bool,
    },
    /// It is a filesystem instead of a zvol, or the other way round.
    #[error("sent a stream of another type ({0}, where 2 is a filesystem and 3 a volume)")]
    Kind(u32),
    /// It is raw instead of plain, or the other way round.
    #[error("sent a {} stream", if *.raw { "raw" } else { "plain" })]
    Form {
        /// Whether it is raw.
        raw: bool,
    },
    /// It is the rest of a stream instead of a whole one, or the other way round.
    #[error("sent {} stream", if *.resumed { "the rest of a" } else { "a whole" })]
    Resumed {
        /// Whether it is the rest of one.
        resumed: bool,
    },
    /// Its first record has a payload of a length that no such stream has.
    #[error("sent a stream whose first record has a payload of {0} bytes")]
    Payload(u32),
}

/// Compares a first record with what was asked for.
///
/// # Errors
/// The first difference.
pub fn check(record: &Record, expected: &Expected) -> Result<(), Foreign> {
    let order = Order::of(record).ok_or(Foreign::NotAStream)?;
    let [versions, to, from] = [16, 40, 48].map(|at| order.long(record, at));
    let [kind, flags, payload] = [32, 36, 4].map(|at| order.word(record, at));
    match (order.word(record, 0), versions & 3) {
        (BEGIN, SUBSTREAM) => {}
        (BEGIN, PACKAGE) => return Err(Foreign::Package),
        _ => return Err(Foreign::NotAStream),
    }
    let features = versions >> 2;
    let differs = |is: bool, wanted: bool, foreign: Foreign| if is == wanted { Ok(()) } else { Err(foreign) };
    let unwanted = features & (DEDUP | REDACTED | HOLDS);
    differs(unwanted != 0, false, Foreign::Features(unwanted))?;
    let (found, wanted) = (name(record), expected.name.clone());
    differs(found == wanted, true, Foreign::Name { found, wanted })?;
    let (found, wanted) = (Guid(to), expected.to);
    differs(found == wanted, true, Foreign::Identity { found, wanted })?;
    let (found, wanted) = (Guid(from), expected.from.unwrap_or(Guid(0)));
    differs(found == wanted, true, Foreign::Base { found, wanted })?;
    let clone = flags & CLONE != 0;
    differs(clone, expected.clone, Foreign::Clone { found: clone })?;
    differs(kind == number(expected.kind), true, Foreign::Kind(kind))?;
    let raw = features & RAW != 0;
    differs(raw, expected.raw, Foreign::Form { raw })?;
    let resumed = features & RESUMING != 0;
    differs(resumed, expected.resumed, Foreign::Resumed { resumed })?;
    let longest = if raw || resumed { LONGEST } else { 0 };
    differs(payload <= longest, true, Foreign::Payload(payload))
}

/// `DMU_OST_ZFS` and `DMU_OST_ZVOL`.
fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Filesystem => 2,
        Kind::Volume => 3,
    }
}

/// `drr_toname`; without an end it is as long as its place, which no dataset's name can be.
fn name(record: &Record) -> String {
    let place = &record[56..];
    let end = place.iter().position(|byte| *byte == 0).unwrap_or(place.len());
    String::from_utf8_lossy(&place[..end]).into_owned()
}

/// The byte order of the machine that made a stream.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn of(record: &Record) -> Option<Self> {
        [Self::Little, Self::Big].into_iter().find(|order| order.long(record, 8) == MAGIC)
    }

    fn word(self, record: &Record, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&record[at..at + 4]);
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    fn long(self, record: &Record, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[at..at + 8]);
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes of a record, and where they are.
    type Change<'a> = (usize, &'a [u8]);

    /// A forged record.
    fn forged(changes: &[Change<'_>]) -> Record {
        let mut record = record(&expected());
        for (at, bytes) in changes {
            record[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        record
    }

    /// The record of the stream that is expected.
    pub fn record(expected: &Expected) -> Record {
        let mut record = [0; LENGTH];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        let features = if expected.raw { RAW } else { 0 } | if expected.resumed { RESUMING } else { 0 };
        put(8, &MAGIC.to_le_bytes());
        put(16, &(features << 2 | SUBSTREAM).to_le_bytes());
        put(32, &number(expected.kind).to_le_bytes());
        put(36, &(u32::from(expected.clone) | 1 << 2 | 1 << 3).to_le_bytes());
        put(40, &expected.to.0.to_le_bytes());
        put(48, &expected.from.unwrap_or(Guid(0)).0.to_le_bytes());
        put(56, expected.name.as_bytes());
        record
    }

    pub fn expected() -> Expected {
        Expected {
            name: "vault/a@two".to_owned(),
            to: Guid(2),
            from: Some(Guid(1)),
            kind: Kind::Filesystem,
            clone: false,
            raw: false,
            resumed: false,
        }
    }

    /// The same record as a machine of the other byte order writes it.
    fn swapped(mut record: Record) -> Record {
        for (at, length) in [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8)] {
            record[at..at + length].reverse();
        }
        record
    }

    #[test]
    fn the_stream_that_was_asked_for_is_taken_in_either_byte_order() {
        for (raw, resumed) in [(false, false), (true, false), (false, true), (true, true)] {
            let expected = Expected { raw, resumed, ..expected() };
            let mut record = record(&expected);
            record[4..8].copy_from_slice(&if raw || resumed { 900_u32 } else { 0 }.to_le_bytes());
            assert_eq!(check(&record, &expected), Ok(()));
            assert_eq!(check(&swapped(record), &expected), Ok(()));
        }
        let full = Expected { from: None, ..expected() };
        assert_eq!(check(&record(&full), &full), Ok(()));
    }

    #[test]
    fn each_forgery_is_named() {
        let versions = |features: u64, kind: u64| (features << 2 | kind).to_le_bytes();
        let name = |found: &str| Foreign::Name { found: found.to_owned(), wanted: "vault/a@two".to_owned() };
        let long = [b'a'; 256];
        let cases: [(&[Change<'_>], Foreign); 17] = [
            (&[(8, &[0; 8])], Foreign::NotAStream),
            (&[(0, &[5])], Foreign::NotAStream),
            (&[(16, &versions(0, 0))], Foreign::NotAStream),
            (&[(16, &versions(0, 3))], Foreign::NotAStream),
            (&[(16, &versions(0, 2))], Foreign::Package),
            (&[(16, &versions(HOLDS, 1))], Foreign::Features(HOLDS)),
            (&[(16, &versions(REDACTED, 1))], Foreign::Features(REDACTED)),
            (&[(16, &versions(1, 1))], Foreign::Features(1)),
            (&[(56, b"vault/a-x@two")], name("vault/a-x@two")),
            (&[(56, b"vault/a@two2")], name("vault/a@two2")),
            (&[(56, b"vault/a@\0")], name("vault/a@")),
            (&[(56, &long)], name(&"a".repeat(256))),
            (&[(40, &[3])], Foreign::Identity { found: Guid(3), wanted: Guid(2) }),
            (&[(48, &[0])], Foreign::Base { found: Guid(0), wanted: Guid(1) }),
            (&[(36, &[CLONE as u8])], Foreign::Clone { found: true }),
            (&[(32, &[3])], Foreign::Kind(3)),
            (&[(4, &[1])], Foreign::Payload(1)),
        ];
        for (changes, foreign) in cases {
            let record = forged(changes);
            assert_eq!(check(&record, &expected()), Err(foreign.clone()));
            assert_eq!(check(&swapped(record), &expected()), Err(foreign));
        }
    }

    #[test]
    fn the_form_of_a_stream_is_the_one_that_was_asked_for() {
        for (raw, resumed) in [(true, false), (false, true)] {
            let found = Expected { raw, resumed, ..expected() };
            let foreign = if raw { Foreign::Form { raw } } else { Foreign::Resumed { resumed } };
            assert_eq!(check(&record(&found), &expected()), Err(foreign));
            assert!(check(&record(&expected()), &found).is_err());
        }
        let raw = Expected { raw: true, ..expected() };
        let mut long = record(&raw);
        long[4..8].copy_from_slice(&(LONGEST + 1).to_le_bytes());
        assert_eq!(check(&long, &raw), Err(Foreign::Payload(LONGEST + 1)));
    }

    proptest! {
        /// Everything but the time of the snapshot, flags of its blocks, and what follows the name's end.
        #[test]
        fn a_changed_byte_of_what_a_stream_does_is_refused(
            at in prop_oneof![0_usize..16, 32_usize..36, 40..=56 + expected().name.len()],
            change in 1_u8..,
        ) {
            let mut record = record(&expected());
            record[at] ^= change;
            prop_assert!(check(&record, &expected()).is_err());
        }
    }
}
