//! `ssh` to the archiver, which is another folder on this computer.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::machine::{FOLDER, Machine, broken};
use crate::{Refused, usage};

/// The options that Dormouse gives with `-o`.
const OPTIONS: [&str; 14] = [
    "BatchMode",
    "ConnectTimeout",
    "ControlPath",
    "GlobalKnownHostsFile",
    "HostKeyAlgorithms",
    "HostKeyAlias",
    "IdentitiesOnly",
    "IdentityAgent",
    "IdentityFile",
    "ServerAliveInterval",
    "ServerAliveCountMax",
    "StrictHostKeyChecking",
    "UpdateHostKeys",
    "UserKnownHostsFile",
];

/// Opens a connection (`-M`), or has the archiver's shell run a line over one that is open.
pub fn run(home: &Machine, words: &[&str]) -> Result<(), Refused> {
    let (is_master, mut rest) = match words {
        ["-M", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let ["-F", "none", "-T", options @ ..] = rest else { return usage("ssh", words) };
    rest = options;
    let mut control = None;
    while let ["-o", option, others @ ..] = rest {
        let Some((name, value)) = option.split_once('=').filter(|(name, _)| OPTIONS.contains(name)) else {
            return usage("ssh", words);
        };
        if name == "ControlPath" {
            control = Some(value.trim_matches('"'));
        }
        rest = others;
    }
    let (["-p", _, "-l", _, "--", _, line], Some(control)) = (rest, control) else {
        return usage("ssh", words);
    };
    if is_master {
        File::create(control).map_err(broken)?;
    } else if !Path::new(control).exists() {
        return Err((255, format!("Control socket connect({control}): Connection refused")));
    }
    let archiver = home.folder.with_file_name("archiver");
    // Takes the place of this process, so that as few programs are started as by a shell alone.
    Err(broken(Command::new("sh").args(["-c", line]).env(FOLDER, archiver).exec()))
}
