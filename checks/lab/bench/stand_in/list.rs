//! `zfs list` and `zfs get`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;

use crate::machine::{self, Exceptions, Machine, broken, snapshot_guid, snapshot_name};
use crate::{Refused, cannot, usage};

/// What is listed of each operand.
#[derive(Default)]
struct Asked<'a> {
    recursive: bool,
    depth: Option<&'a str>,
    kinds: Vec<&'a str>,
    columns: Vec<&'a str>,
    names: Vec<&'a str>,
}

/// A line of a listing.
#[derive(Clone, Copy)]
enum Row<'a> {
    Dataset { newest: usize },
    Snapshot { number: usize },
    Bookmark { name: &'a str, guid: u64 },
}

/// Lists as `zfs list -H -p` does.
pub fn list(machine: &Machine, words: &[&str]) -> Result<(), Refused> {
    let asked = parse(words)?;
    check(&asked, words)?;
    let properties = asked.columns.iter().filter(|column| column.contains(':'));
    let properties = properties
        .map(|name| Ok((*name, machine.exceptions(&format!("properties/{name}"), asked.recursive)?)));
    let mut lister = Lister {
        machine,
        newest: machine.exceptions("newest", asked.recursive)?,
        bookmarks: machine.exceptions("bookmarks", asked.recursive)?,
        properties: properties.collect::<Result<_, Refused>>()?,
        columns: &asked.columns,
        out: BufWriter::with_capacity(1 << 16, stdout()?),
    };
    for name in &asked.names {
        lister.operand(&asked, name)?;
    }
    lister.out.flush().map_err(broken)
}

fn parse<'a>(words: &[&'a str]) -> Result<Asked<'a>, Refused> {
    let mut rest = words;
    let (mut asked, mut is_for_machines) = (Asked::default(), (false, false));
    loop {
        rest = match rest {
            ["-H", rest @ ..] => {
                is_for_machines.0 = true;
                rest
            }
            ["-p", rest @ ..] => {
                is_for_machines.1 = true;
                rest
            }
            ["-r", rest @ ..] => {
                asked.recursive = true;
                rest
            }
            ["-d", depth, rest @ ..] => {
                asked.depth = Some(depth);
                rest
            }
            ["-t", kinds, rest @ ..] => {
                asked.kinds = kinds.split(',').collect();
                rest
            }
            ["-o", columns, rest @ ..] => {
                asked.columns = columns.split(',').collect();
                rest
            }
            names if !names.is_empty() && !names.iter().any(|name| name.starts_with('-')) => {
                asked.names = names.to_vec();
                break;
            }
            _ => return usage("zfs list", words),
        };
    }
    if is_for_machines == (true, true) { Ok(asked) } else { usage("zfs list", words) }
}

/// Refuses the combinations that no command of Dormouse has.
fn check(asked: &Asked<'_>, words: &[&str]) -> Result<(), Refused> {
    let are_snapshots = asked.names.iter().all(|name| name.contains('@'));
    let is_known = match (asked.kinds.as_slice(), asked.recursive, asked.depth) {
        (["filesystem", "volume"], true, None) => asked.names.len() == 1 && !are_snapshots,
        (["filesystem", "volume"], false, None | Some("0")) => !are_snapshots,
        (["snapshot"] | ["bookmark"], true, None) => asked.names.len() == 1 && !are_snapshots,
        (["snapshot"], false, None) => are_snapshots,
        (["snapshot", "bookmark"], false, Some("1")) => !are_snapshots,
        _ => false,
    };
    if is_known && !asked.columns.is_empty() { Ok(()) } else { usage("zfs list", words) }
}

struct Lister<'a> {
    machine: &'a Machine,
    newest: Exceptions,
    bookmarks: Exceptions,
    properties: Vec<(&'a str, Exceptions)>,
    columns: &'a [&'a str],
    out: BufWriter<File>,
}

impl Lister<'_> {
    fn operand(&mut self, asked: &Asked<'_>, name: &str) -> Result<(), Refused> {
        if let Some((dataset, snapshot)) = name.split_once('@') {
            let dataset = self.machine.dataset(dataset).map_err(|_| missing(name))?;
            let newest = self.machine.newest(dataset, &self.newest)?;
            let number = (1..=newest).find(|number| snapshot_name(*number) == snapshot);
            let number = number.ok_or_else(|| missing(name))?;
            let owner = self.machine.name(dataset);
            return self.row(dataset, &owner, Row::Snapshot { number });
        }
        let first = self.machine.dataset(name)?;
        if asked.recursive && first != 0 {
            return cannot(format!("the stand-in lists {} alone with -r", self.machine.root));
        }
        let last = if asked.recursive { self.machine.datasets } else { first + 1 };
        (first..last).try_for_each(|dataset| self.dataset(&asked.kinds, dataset))
    }

    fn dataset(&mut self, kinds: &[&str], dataset: usize) -> Result<(), Refused> {
        let (owner, newest) = (self.machine.name(dataset), self.machine.newest(dataset, &self.newest)?);
        if kinds.contains(&"filesystem") {
            self.row(dataset, &owner, Row::Dataset { newest })?;
        }
        if kinds.contains(&"snapshot") {
            (1..=newest).try_for_each(|number| self.row(dataset, &owner, Row::Snapshot { number }))?;
        }
        if kinds.contains(&"bookmark") {
            for name in self.machine.bookmarks(dataset, &self.bookmarks)? {
                let guid = name.rsplit('_').next().and_then(|guid| guid.parse().ok());
                let guid = guid.ok_or((1, format!("bookmark {name} names no GUID")))?;
                self.row(dataset, &owner, Row::Bookmark { name: &name, guid })?;
            }
        }
        Ok(())
    }

    fn row(&mut self, dataset: usize, owner: &str, row: Row<'_>) -> Result<(), Refused> {
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                self.out.write_all(b"\t").map_err(broken)?;
            }
            self.value(dataset, owner, row, column)?;
        }
        self.out.write_all(b"\n").map_err(broken)
    }

    fn value(&mut self, dataset: usize, owner: &str, row: Row<'_>, column: &str) -> Result<(), Refused> {
        let (machine, is_copy) = (self.machine, self.machine.is_archiver());
        let out = &mut self.out;
        let written = match (column, row) {
            ("name", Row::Dataset { .. }) => write!(out, "{owner}"),
            ("name", Row::Snapshot { number }) => write!(out, "{owner}@{}", snapshot_name(number)),
            ("name", Row::Bookmark { name, .. }) => write!(out, "{owner}#{name}"),
            ("guid", Row::Dataset { .. }) => write!(out, "{}", machine.guid(dataset)),
            ("guid", Row::Snapshot { number }) => write!(out, "{}", snapshot_guid(dataset, number)),
            ("guid", Row::Bookmark { guid, .. }) => write!(out, "{guid}"),
            ("createtxg", Row::Snapshot { number }) => write!(out, "{}", machine::txg(dataset, number)),
            ("createtxg", Row::Bookmark { guid, .. }) => {
                write!(out, "{}", machine::txg(dataset, machine::number_of(guid)))
            }
            ("creation", Row::Snapshot { number }) => write!(out, "{}", machine::creation(number)),
            ("creation", Row::Bookmark { guid, .. }) => {
                write!(out, "{}", machine::creation(machine::number_of(guid)))
            }
            ("userrefs", Row::Snapshot { .. }) => write!(out, "0"),
            ("logicalreferenced", Row::Snapshot { .. }) => write!(out, "1073741824"),
            ("userrefs" | "logicalreferenced", Row::Bookmark { .. }) => write!(out, "-"),
            ("type", Row::Dataset { .. }) => write!(out, "filesystem"),
            ("encryptionroot" | "receive_resume_token" | "origin", Row::Dataset { .. }) => write!(out, "-"),
            ("snapshots_changed", Row::Dataset { newest }) => write!(out, "{}", machine::creation(newest)),
            ("readonly", Row::Dataset { .. }) => write!(out, "{}", if is_copy { "on" } else { "off" }),
            ("canmount", Row::Dataset { .. }) => write!(out, "{}", if is_copy { "noauto" } else { "on" }),
            ("volmode", Row::Dataset { .. }) => write!(out, "default"),
            (property, Row::Dataset { .. }) if property.contains(':') => {
                let value = property_of(machine, &self.properties, dataset, property)?;
                write!(out, "{}", value.as_deref().unwrap_or("-"))
            }
            _ => return Err((2, format!("bad property list: invalid property '{column}'"))),
        };
        written.map_err(broken)
    }
}

/// A dataset's own value of a property, or the one that it inherits.
fn property_of(
    machine: &Machine,
    properties: &[(&str, Exceptions)],
    dataset: usize,
    property: &str,
) -> Result<Option<String>, Refused> {
    let Some((_, values)) = properties.iter().find(|(name, _)| *name == property) else { return Ok(None) };
    let mut above = Some(dataset);
    while let Some(dataset) = above {
        if let Some(value) = values.get(dataset)? {
            return Ok(Some(value));
        }
        above = machine.parent(dataset);
    }
    Ok(None)
}

/// Lists as `zfs get` does what was set on datasets: one property on each.
pub fn get(machine: &Machine, words: &[&str]) -> Result<(), Refused> {
    let ["-H", "-p", "-s", "local,received", "-o", "name,property,value", "all", names @ ..] = words else {
        return usage("zfs get", words);
    };
    for name in names {
        machine.dataset(name)?;
        println!("{name}\trecordsize\t131072");
    }
    Ok(())
}

fn missing(snapshot: &str) -> Refused {
    (1, format!("cannot open '{snapshot}': dataset does not exist"))
}

/// Without the line buffer of [`std::io::stdout`].
fn stdout() -> Result<File, Refused> {
    std::io::stdout().as_fd().try_clone_to_owned().map(File::from).map_err(broken)
}
