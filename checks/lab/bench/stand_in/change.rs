//! The commands that send, receive and remember.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use crate::machine::{Machine, broken, number_of, snapshot_guid, snapshot_name};
use crate::{Refused, cannot, usage};

/// The size of a stream, as small as ZFS makes one. `zfs receive` reads exactly its own stream from a pipe.
const STREAM: usize = 624;

/// A snapshot's dataset and number.
fn snapshot(machine: &Machine, name: &str) -> Result<(usize, usize), Refused> {
    let missing = || (1, format!("cannot open '{name}': dataset does not exist"));
    let (dataset, snapshot) = name.split_once('@').ok_or_else(missing)?;
    let dataset = machine.dataset(dataset)?;
    let newest = machine.newest(dataset, &machine.exceptions("newest", false)?)?;
    let number = (1..=newest).find(|number| snapshot_name(*number) == snapshot).ok_or_else(missing)?;
    Ok((dataset, number))
}

/// The names of the bookmarks of a dataset.
fn bookmarks(machine: &Machine, dataset: usize) -> Result<Vec<String>, Refused> {
    machine.bookmarks(dataset, &machine.exceptions("bookmarks", false)?)
}

/// Sends an increment, or shows with `-n -P` how big it is.
pub fn send(machine: &Machine, words: &[&str]) -> Result<(), Refused> {
    let (is_dry, base, to) = match words {
        ["-n", "-P", "-L", "-c", "-i", base, to] => (true, *base, *to),
        ["-L", "-c", "-i", base, to] => (false, *base, *to),
        _ => return usage("zfs send", words),
    };
    let (dataset, number) = snapshot(machine, to)?;
    let from = match base.split_once('#') {
        None => snapshot_guid(dataset, snapshot(machine, base)?.1),
        Some((_, bookmark)) => {
            let missing = || (1, format!("cannot open '{base}': dataset does not exist"));
            let name =
                bookmarks(machine, dataset)?.into_iter().find(|name| name == bookmark).ok_or_else(missing)?;
            name.rsplit('_').next().and_then(|guid| guid.parse().ok()).ok_or_else(missing)?
        }
    };
    if number_of(from) >= number {
        return cannot(format!("cannot send '{to}': not an earlier snapshot from the same fs"));
    }
    if is_dry {
        println!("incremental\t{base}\t{to}\t{STREAM}\nsize\t{STREAM}");
        return Ok(());
    }
    let mut stream = format!("{from} {}\n", snapshot_guid(dataset, number)).into_bytes();
    stream.resize(STREAM, 0);
    std::io::stdout().write_all(&stream).map_err(broken)
}

/// Receives an increment that begins at the newest snapshot.
pub fn receive(machine: &Machine, words: &[&str]) -> Result<(), Refused> {
    let ["-s", "-u", name] = words else { return usage("zfs receive", words) };
    let mut stream = [0; STREAM];
    let mut stdin = std::io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(broken)?;
    let cut = |error| (1, format!("cannot receive: failed to read from stream: {error}"));
    stdin.read_exact(&mut stream).map_err(cut)?;
    let text = String::from_utf8_lossy(&stream);
    let guids: Vec<u64> =
        text.lines().next().unwrap_or_default().split(' ').filter_map(|guid| guid.parse().ok()).collect();
    let [from, to] = *guids else {
        return cannot("cannot receive: invalid stream (bad magic number)".to_owned());
    };
    let (dataset, newest) = (machine.dataset(name)?, machine.exceptions("newest", false)?);
    let (base, number) = (snapshot_guid(dataset, machine.newest(dataset, &newest)?), number_of(to));
    if from != base || to != snapshot_guid(dataset, number) {
        let message = format!("most recent snapshot of {name} does not\nmatch incremental source");
        return cannot(format!("cannot receive incremental stream: {message}"));
    }
    newest.set(dataset, &number.to_string())
}

/// Sets a property of the user's.
pub fn set(machine: &Machine, assignment: &str, name: &str) -> Result<(), Refused> {
    let dataset = machine.dataset(name)?;
    match assignment.split_once('=') {
        Some((property, value)) if property.contains(':') => {
            machine.exceptions(&format!("properties/{property}"), false)?.set(dataset, value)
        }
        _ => usage("zfs set", &[assignment, name]),
    }
}

/// Makes a bookmark.
pub fn bookmark(machine: &Machine, name: &str, bookmark: &str) -> Result<(), Refused> {
    let (dataset, _) = snapshot(machine, name)?;
    let mut names = bookmarks(machine, dataset)?;
    let is_new = |name: &&str| !names.iter().any(|known| known == name);
    let new = bookmark.split_once('#').filter(|(owner, _)| *owner == machine.name(dataset));
    let Some(new) = new.map(|(_, name)| name).filter(is_new) else {
        return cannot(format!("cannot create bookmark '{bookmark}': bookmark exists"));
    };
    names.push(new.to_owned());
    machine.exceptions("bookmarks", false)?.set(dataset, &names.join("\n"))
}

/// Destroys a bookmark, and nothing else.
pub fn destroy(machine: &Machine, name: &str) -> Result<(), Refused> {
    let Some((dataset, bookmark)) = name.split_once('#') else { return usage("zfs destroy", &[name]) };
    let dataset = machine.dataset(dataset)?;
    let mut names = bookmarks(machine, dataset)?;
    let before = names.len();
    names.retain(|name| name != bookmark);
    if names.len() == before {
        return cannot(format!("bookmark '{name}' does not exist."));
    }
    machine.exceptions("bookmarks", false)?.set(dataset, &names.join("\n"))
}

/// Runs the channel program that makes bookmarks, given as pairs of a snapshot and a bookmark.
pub fn program(machine: &Machine, pool: &str, pairs: &[&str]) -> Result<(), Refused> {
    let mut script = String::new();
    std::io::stdin().read_to_string(&mut script).map_err(broken)?;
    if pool != machine.pool() || !script.contains("zfs.sync.bookmark") || pairs.len() % 2 != 0 {
        return usage("zfs program", pairs);
    }
    let failed = pairs.chunks_exact(2).filter(|pair| bookmark(machine, pair[0], pair[1]).is_err()).count();
    println!("{{\"return\":{failed}}}");
    Ok(())
}
