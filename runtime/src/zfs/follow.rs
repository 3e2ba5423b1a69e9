//! Which snapshots the archiver need not keep, since the host has deleted them.
//!
//! A snapshot that is missed on the host gets a note on the archiver, with the time. When that is
//! long enough ago, and the snapshot is missed still, it goes.

use super::names::matches;
use super::plan::{Base, common};
use super::{Dataset, Snapshot};

/// The property of a snapshot on the archiver: since when it was missed on the host, in seconds
/// since 1970.
pub const NOTE: &str = "dormouse:missed";

/// What the archiver says of a snapshot that is missed on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// `dataset@snapshot`.
    pub name: String,
    /// Its note.
    pub since: Option<i64>,
    /// Whether somebody holds it.
    pub held: bool,
}

/// What to do about snapshots, given as `dataset@snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// To be noted as missed now.
    pub note: Vec<String>,
    /// To be destroyed.
    pub destroy: Vec<String>,
}

/// The snapshots of a copy that the host has deleted: those with names that are asked for, older
/// than the newest that both sides have. None when they have no snapshot in common: then nothing is
/// known of what the host did.
#[must_use]
pub fn missed<'a>(source: &Dataset, copy: &'a Dataset, names: &[String]) -> Vec<&'a Snapshot> {
    let Some(Base::Snapshot(newest)) = common(source, copy) else { return vec![] };
    let Some(last) = copy.snapshot(newest.guid) else { return vec![] };
    let older = copy.snapshots.iter().filter(|snapshot| snapshot.createtxg < last.createtxg);
    let asked = older.filter(|snapshot| names.iter().any(|pattern| matches(pattern, &snapshot.name)));
    asked.filter(|snapshot| source.snapshot(snapshot.guid).is_none()).collect()
}

/// What to do about missed snapshots at `now`; each is kept for `grace` seconds after its note.
#[must_use]
pub fn steps(missed: &[Missed], now: i64, grace: u64) -> Steps {
    let mut steps = Steps::default();
    for Missed { name, since, held } in missed {
        match since {
            None => steps.note.push(name.clone()),
            Some(since) if !held && now.saturating_sub(*since) >= grace.cast_signed() => {
                steps.destroy.push(name.clone());
            }
            Some(_) => {}
        }
    }
    steps
}

/// Reads `zfs get -H -p -o name,property,value` of the note and of `userrefs`. None when a line is
/// not as expected.
#[must_use]
pub fn read(text: &str) -> Option<Vec<Missed>> {
    let mut all: Vec<Missed> = Vec::new();
    for line in text.lines() {
        let [name, property, value] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
        if all.last().is_none_or(|last| last.name != name) {
            all.push(Missed { name: name.to_owned(), since: None, held: true });
        }
        let last = all.last_mut()?;
        match property {
            "userrefs" => last.held = value != "0",
            NOTE => last.since = value.parse().ok(),
            _ => return None,
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_whole_names() {
        for (pattern, name, fits) in [
            ("zfs-auto-snap_*", "zfs-auto-snap_daily-1", true),
            ("zfs-auto-snap_*", "my-zfs-auto-snap_daily", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*", "aXbY", true),
            ("mine", "mine", true),
            ("mine", "mine2", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_missed_long_enough_goes_unless_it_is_held() {
        let text = "t@a\tuserrefs\t0\nt@a\tdormouse:missed\t-\nt@b\tuserrefs\t0\nt@b\tdormouse:missed\t100\n\
            t@c\tuserrefs\t2\nt@c\tdormouse:missed\t100\n";
        let missed = read(text).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(steps(&missed, 199, 100), Steps { note: names(&["t@a"]), destroy: vec![] });
        assert_eq!(steps(&missed, 200, 100), Steps { note: names(&["t@a"]), destroy: names(&["t@b"]) });
        assert_eq!(steps(&missed, 50, 0).destroy, names(&[]), "a clock that was set back");
        assert!(read("t@a\tuserrefs").is_none() && read("t@a\tother\t1").is_none());
        let unsaid = read("t@a\tdormouse:missed\t100\n").unwrap();
        assert!(steps(&unsaid, 999, 0).destroy.is_empty(), "what is not known to be free is held");
    }
}
