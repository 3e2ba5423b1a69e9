//! Stands in for zfs(8), zpool(8) and ssh(1), depending on the name that it is started by.
//!
//! Names and numbers of datasets and snapshots follow a rule, so that a listing costs no time to look anything
//! up. Files hold only what has changed. The programs know the commands of a replication; they refuse all
//! others, so that an unexpected command never looks like an empty listing.

mod change;
mod list;
mod machine;
mod ssh;

use std::process::ExitCode;

use machine::Machine;

/// An exit code, and a message for stderr.
pub type Refused = (u8, String);

/// Refuses as zfs(8) does when it cannot do what it was asked.
pub fn cannot<T>(message: String) -> Result<T, Refused> {
    Err((1, message))
}

/// Refuses as zfs(8) does when it does not understand what it was asked.
pub fn usage<T>(program: &str, words: &[&str]) -> Result<T, Refused> {
    Err((2, format!("the stand-in for {program} does not know these arguments: {words:?}")))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let path = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(path.rsplit('/').next().unwrap_or_default(), &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

fn run(program: &str, words: &[&str]) -> Result<(), Refused> {
    let machine = Machine::of_environment()?;
    match (program, words) {
        ("ssh", words) => ssh::run(&machine, words),
        ("zpool", words) => pool(&machine, words),
        ("zfs", ["list", rest @ ..]) => list::list(&machine, rest),
        ("zfs", ["get", rest @ ..]) => list::get(&machine, rest),
        ("zfs", ["send", rest @ ..]) => change::send(&machine, rest),
        ("zfs", ["receive", rest @ ..]) => change::receive(&machine, rest),
        ("zfs", ["set", assignment, name]) => change::set(&machine, assignment, name),
        ("zfs", ["bookmark", snapshot, bookmark]) => change::bookmark(&machine, snapshot, bookmark),
        ("zfs", ["destroy", name]) => change::destroy(&machine, name),
        ("zfs", ["program", "-j", pool, "-", pairs @ ..]) => change::program(&machine, pool, pairs),
        _ => usage(program, words),
    }
}

fn pool(machine: &Machine, words: &[&str]) -> Result<(), Refused> {
    let (["list", "-H", "-p", "-o", "size,allocated,free,health", name] | ["status", name]) = words else {
        return usage("zpool", words);
    };
    if *name != machine.pool() {
        return cannot(format!("cannot open '{name}': no such pool"));
    }
    match words[0] {
        "list" => println!("1099511627776\t549755813888\t549755813888\tONLINE"),
        _ => println!("  pool: {name}\n state: ONLINE\n\nerrors: No known data errors"),
    }
    Ok(())
}
