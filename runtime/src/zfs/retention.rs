//! What an archiver's retention lets go, and why.
//!
//! The archiver decides that by itself, in a script of its generated configuration.nix; this is the
//! same decision, to show it beforehand. A test holds the two against each other.

use std::collections::BTreeMap;

use dormouse_generator::spec::Retention;
use serde::Serialize;

/// Columns of `zfs list` that a decision is made of (zfsprops(7)).
pub const COLUMNS: &str = "name,creation,userrefs,clones";

/// What zfs-auto-snapshot's names begin with; then come the class and a hyphen.
const AUTOMATIC: &str = "zfs-auto-snap_";

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// `dataset@snapshot`.
    pub snapshot: String,
    /// Whether it is let go.
    pub destroy: bool,
    /// Why, or why not.
    pub reason: String,
}

/// A line of the listing that is none.
#[derive(Debug, thiserror::Error)]
#[error("not a line of {COLUMNS}: {0:?}")]
pub struct LineError(String);

/// Decides about the snapshots of a listing, which are ordered from the newest to the oldest, at a time
/// in seconds since 1970.
///
/// Of each dataset and class the newest stay, and those that are too young; of each dataset the newest
/// automatic snapshot of all, from which the next increment goes on; and whatever is held, cloned or
/// not automatic.
///
/// # Errors
/// When a line is none.
pub fn decide(listing: &str, retention: &Retention, now: i64) -> Result<Vec<Verdict>, LineError> {
    let mut seen = BTreeMap::new();
    listing.lines().map(|line| decide_one(line, retention, &mut seen, now)).collect()
}

/// How many snapshots of each class of a dataset there are that are newer.
type Seen<'a> = BTreeMap<&'a str, BTreeMap<&'a str, u32>>;

fn decide_one<'a>(
    line: &'a str,
    retention: &Retention,
    seen: &mut Seen<'a>,
    now: i64,
) -> Result<Verdict, LineError> {
    let wrong = || LineError(line.to_owned());
    let (name, created, holds, clones) = match line.split('\t').collect::<Vec<_>>()[..] {
        [name, created, holds] => (name, created, holds, ""),
        [name, created, holds, clones] => (name, created, holds, clones),
        _ => return Err(wrong()),
    };
    let created: i64 = created.parse().map_err(|_| wrong())?;
    let (dataset, snapshot) = name.split_once('@').ok_or_else(wrong)?;
    let keep = |reason: String| Ok(Verdict { snapshot: name.to_owned(), destroy: false, reason });

    let Some(label) = snapshot.strip_prefix(AUTOMATIC) else { return keep("not automatic".to_owned()) };
    let class = label.split('-').next().unwrap_or_default();
    let classes = seen.entry(dataset).or_default();
    let is_newest = classes.is_empty();
    let newer = classes.entry(class).or_default();
    let rank = *newer;
    *newer += 1;
    if is_newest {
        return keep("the newest".to_owned());
    }
    let Some((known, most)) = retention.iter().find(|(known, _)| known.name() == class) else {
        return keep("its class is kept whole".to_owned());
    };
    let age = i64::from(*most) * i64::from(known.period());
    if rank < *most {
        keep(format!("one of the newest {most} {class}"))
    } else if now.saturating_sub(created) < age {
        keep(format!("younger than {age} s"))
    } else if holds != "0" {
        keep("held".to_owned())
    } else if !matches!(clones, "" | "-") {
        keep("cloned".to_owned())
    } else {
        Ok(Verdict { snapshot: name.to_owned(), destroy: true, reason: format!("more than {most} {class}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_generator::spec::SnapshotClass;

    fn reasons(listing: &str, retention: &Retention, now: i64) -> Vec<(String, bool, String)> {
        let verdicts = decide(listing, retention, now).unwrap();
        verdicts.into_iter().map(|v| (v.snapshot, v.destroy, v.reason)).collect()
    }

    fn destroyed(listing: &str, retention: &Retention, now: i64) -> Vec<String> {
        reasons(listing, retention, now).into_iter().filter(|v| v.1).map(|v| v.0).collect()
    }

    #[test]
    fn what_is_named_too_many_and_too_old_is_let_go_and_nothing_else() {
        let retention = Retention::from([(SnapshotClass::Hourly, 1), (SnapshotClass::Daily, 0)]);
        let listing = "v/a@zfs-auto-snap_hourly-4\t9000\t0\t\n\
                       v/a@by-hand\t8000\t0\t\n\
                       v/a@zfs-auto-snap_monthly-1\t7000\t0\t\n\
                       v/a@zfs-auto-snap_hourly-3\t6000\t0\t-\n\
                       v/b@zfs-auto-snap_hourly-3\t5000\t0\t\n\
                       v/a@zfs-auto-snap_daily-1\t4000\t1\t\n\
                       v/a@zfs-auto-snap_hourly-2\t3000\t0\tv/clone\n\
                       v/a@zfs-auto-snap_daily-0\t2000\t0\t\n\
                       v/a@zfs-auto-snap_hourly-1\t1000\t0\t\n";
        assert_eq!(
            destroyed(listing, &retention, 9_100),
            ["v/a@zfs-auto-snap_daily-0", "v/a@zfs-auto-snap_hourly-1"]
        );
        let said: Vec<String> = reasons(listing, &retention, 9_100).into_iter().map(|v| v.2).collect();
        let expected = [
            "the newest",
            "not automatic",
            "its class is kept whole",
            "younger than 3600 s",
            "the newest",
            "held",
            "cloned",
            "more than 0 daily",
            "more than 1 hourly",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_flood_of_new_snapshots_drives_no_old_one_out_before_its_time() {
        let retention = Retention::from([(SnapshotClass::Daily, 7)]);
        let (now, day) = (1_000_000_000, 86_400);
        let flood = (0..1_000).map(|n| format!("v/a@zfs-auto-snap_daily-f{n}\t{now}\t0\t\n"));
        let old = (0..10).map(|n| format!("v/a@zfs-auto-snap_daily-{n}\t{}\t0\t\n", now - n * day));
        let listing: String = flood.chain(old).collect();
        let gone = destroyed(&listing, &retention, now);
        assert_eq!(gone, ["7", "8", "9"].map(|n| format!("v/a@zfs-auto-snap_daily-{n}")));
    }

    #[test]
    fn a_line_of_something_else_is_an_error() {
        for line in ["", "v/a", "v/a\t1\t0\t", "v/a@b\tx\t0\t", "cannot open 'v': I/O error"] {
            assert!(decide(&format!("{line}\n"), &Retention::default(), 0).is_err(), "{line:?}");
        }
    }
}
