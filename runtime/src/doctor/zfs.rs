//! ZFS, the datasets, the rights.

use std::collections::BTreeSet;

use super::ask;
use super::finding::Finding;
use crate::context::Context;
use crate::exec;
use crate::replicate::Run;

/// What sending needs, as `zfs allow` names it: holds, cursors and marks besides the streams.
/// Destroying is for cursors, which are bookmarks.
const RIGHTS: [&str; 6] = ["bookmark", "destroy", "hold", "release", "send", "userprop"];

/// The user of the service that the NixOS module and the units for every Linux set up.
const SERVICE: &str = "dormouse";

pub(super) async fn examine(context: &Context, runs: &[Run<'_>]) -> Vec<Finding> {
    let version = match ask(context, &["zfs", "version"]).await {
        Ok(text) => Finding::good("zfs", text.lines().collect::<Vec<_>>().join(", ")),
        Err(exec::Error::Start { .. }) => {
            let fix = "install it: `apt install zfsutils-linux`, or on NixOS `boot.supportedFilesystems.zfs = true`";
            return vec![Finding::bad("zfs", "there is no program zfs", fix)];
        }
        Err(error) => {
            let fix = "load the module: `modprobe zfs`";
            return vec![Finding::bad("zfs", exec::text(error.stderr()), fix)];
        }
    };
    let mut findings = vec![version];
    // Root may do everything, and looks after the service's user, if there is one.
    let asked: &[&str] = if rustix::process::getuid().is_root() { &[SERVICE] } else { &[] };
    let user = ask(context, &[&["id", "-un"], asked].concat()).await.unwrap_or_default().trim().to_owned();
    let groups = ask(context, &[&["id", "-Gn"], asked].concat()).await.unwrap_or_default();
    for run in runs {
        let source = run.replication.source.as_str();
        let check = format!("source of {}", run.name);
        if let Err(error) = ask(context, &["zfs", "list", "-H", "-o", "name", source]).await {
            let fix = format!(
                "make it, or mend `source` of {} in the spec; `zfs list` shows what there is",
                run.name
            );
            findings.push(Finding::bad(check, exec::text(error.stderr()), fix));
            continue;
        }
        findings.push(Finding::good(check, format!("{source} is there")));
        if !user.is_empty() {
            let allowed = ask(context, &["zfs", "allow", source]).await.unwrap_or_default();
            let groups: Vec<&str> = groups.split_whitespace().collect();
            findings.push(rights(source, &user, &permissions(&allowed, &user, &groups)));
        }
    }
    findings
}

fn rights(source: &str, user: &str, has: &BTreeSet<String>) -> Finding {
    let missing: Vec<&str> = RIGHTS.into_iter().filter(|right| !has.contains(*right)).collect();
    let check = format!("rights on {source}");
    if missing.is_empty() {
        return Finding::good(check, format!("{user} may send it"));
    }
    let list = missing.join(",");
    let fix = format!("as root: `zfs allow -u {user} {list} {source}`");
    Finding::bad(check, format!("{user} lacks {list}"), fix)
}

/// The permissions of a user, as `zfs allow <dataset>` prints them (zfs-allow(8)).
#[must_use]
pub fn permissions(text: &str, user: &str, groups: &[&str]) -> BTreeSet<String> {
    let of_us = |line: &str| -> Option<String> {
        let mut words = line.split_whitespace();
        match (words.next()?, words.next()?) {
            ("user", name) if name == user => words.next().map(str::to_owned),
            ("group", name) if groups.contains(&name) => words.next().map(str::to_owned),
            ("everyone", list) => Some(list.to_owned()),
            _ => None,
        }
    };
    text.lines()
        .filter(|line| line.starts_with('\t'))
        .filter_map(of_us)
        .flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenZFS 2.3 prints it.
    const PRINTED: &str = "---- Permissions on rpool/safe ---------------------------------------\nLocal+Descendent permissions:\n\tuser backup bookmark,hold,send\n\tuser other destroy\n\tgroup wheel release\n\teveryone mount\n";

    #[test]
    fn rights_of_the_user_and_of_its_groups_count() {
        let all = permissions(PRINTED, "backup", &["backup", "wheel"]);
        assert_eq!(all.into_iter().collect::<Vec<_>>(), ["bookmark", "hold", "mount", "release", "send"]);
        let finding = rights("rpool/safe", "backup", &permissions(PRINTED, "backup", &[]));
        assert_eq!(
            finding.fix.unwrap(),
            "as root: `zfs allow -u backup destroy,release,userprop rpool/safe`"
        );
        assert!(permissions("", "backup", &[]).is_empty());
    }
}
