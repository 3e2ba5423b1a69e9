//! The archiver's own scripts do what they are for, with stand-ins for ZFS and systemd.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::nix;
use tempfile::TempDir;

/// One script of one unit, in a folder where stand-ins note how they were called.
struct Script {
    folder: TempDir,
    text: String,
}

impl Script {
    /// None when Nix is left out.
    fn of(example: &str, archiver: &str, unit: &str) -> Option<Self> {
        if support::is_without("nix-instantiate") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = format!("archivers/{archiver}/configuration.nix");
        let (public, _) = support::artifacts(&support::example(example));
        support::write_all(folder.path(), &[(path.clone(), &public[&path])].into());
        let system = nix::system(&folder.path().join(path));
        let text = system["systemd"]["services"][unit]["script"].as_str().unwrap().to_owned();
        // What exists once on a real system.
        let text =
            ["/run/dormouse-idle", "/proc/uptime", "/sys/module/zfs"].iter().fold(text, |text, path| {
                text.replace(path, folder.path().join(path.rsplit('/').next().unwrap()).to_str().unwrap())
            });
        fs::create_dir(folder.path().join("dormouse-idle")).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("zfs"), "loaded").unwrap();
        let script = Self { folder, text };
        for program in ["zfs", "zpool", "loginctl", "pgrep", "systemctl", "modprobe", "udevadm"] {
            script.stand_in(program, "true");
        }
        Some(script)
    }

    /// Makes `program` note its arguments, then do this.
    fn stand_in(&self, program: &str, does: &str) {
        let file = self.folder.path().join("bin").join(program);
        let calls = self.folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\nprintf '%s' {program} >>{0}\nprintf ' [%s]' \"$@\" >>{0}\necho >>{0}\n{does}\n",
            calls.display()
        );
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs it as NixOS does, and returns the calls.
    fn run(&self) -> Vec<String> {
        self.run_with(&[])
    }

    fn run_with(&self, arguments: &[&str]) -> Vec<String> {
        let calls = self.folder.path().join("calls");
        let _none = fs::remove_file(&calls);
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        let script = ["-euc", &self.text, "script"];
        support::run(Command::new("bash").args(script).args(arguments).env("PATH", path));
        fs::read_to_string(calls).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn at_uptime(&self, seconds: u32) -> Vec<String> {
        fs::write(self.folder.path().join("uptime"), format!("{seconds}.42 12.34\n")).unwrap();
        self.run()
    }

    fn powers_off_at(&self, seconds: u32) -> bool {
        self.at_uptime(seconds).contains(&"systemctl [poweroff]".to_owned())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
}

#[test]
fn an_archiver_that_nobody_comes_to_powers_off_after_its_linger_and_not_before() {
    let Some(idle) = Script::of("home", "archiver", "dormouse-idle") else { return };
    idle.stand_in("pgrep", "exit 1");
    assert!(!idle.powers_off_at(30));
    assert!(!idle.powers_off_at(149));
    assert!(idle.powers_off_at(150));
}

#[test]
fn whatever_keeps_an_archiver_busy_starts_its_linger_anew() {
    for (program, busy) in [
        ("loginctl", session(1001, "user", "active")),
        ("loginctl", session(0, "user-early", "online")),
        ("pgrep", "test \"$2\" = zfs".to_owned()),
        ("pgrep", "test \"$2\" = zpool".to_owned()),
        ("zpool", "echo '  scan: scrub in progress since Sun Nov  1 00:00:00 2026'".to_owned()),
    ] {
        let Some(idle) = Script::of("home", "archiver", "dormouse-idle") else { return };
        idle.stand_in("pgrep", "exit 1");
        assert!(!idle.powers_off_at(10));
        idle.stand_in(program, &busy);
        assert!(!idle.powers_off_at(100_000), "{program}: {busy}");
        idle.stand_in(program, if program == "pgrep" { "exit 1" } else { "true" });
        assert!(!idle.powers_off_at(100_119), "{program}: {busy}");
        assert!(idle.powers_off_at(100_120), "{program}: {busy}");
    }
}

/// A loginctl that knows one session.
fn session(uid: u32, class: &str, state: &str) -> String {
    format!(
        "case \"$1\" in list-sessions) echo '7 {uid} somebody - 99 -' ;;\n\
         show-session) printf 'Class=%s\\nState=%s\\n' {class} {state} ;; esac"
    )
}

#[test]
fn what_a_client_left_running_keeps_no_archiver_awake() {
    for (uid, class, state, is_ended) in [
        (1001, "user", "closing", true),
        (0, "user-early", "closing", false),
        (1001, "manager", "active", false),
        (0, "manager-early", "active", false),
    ] {
        let Some(idle) = Script::of("home", "archiver", "dormouse-idle") else { return };
        idle.stand_in("pgrep", "exit 1");
        idle.stand_in("loginctl", &session(uid, class, state));
        let calls = idle.at_uptime(30);
        assert_eq!(
            calls.contains(&"loginctl [kill-session] [7]".to_owned()),
            is_ended,
            "{uid} {class} {state}"
        );
        assert!(!idle.powers_off_at(149), "{uid} {class} {state}");
        assert!(idle.powers_off_at(150), "{uid} {class} {state}");
    }
}

#[test]
fn a_pool_is_imported_once_and_each_host_may_receive_into_its_targets_and_send_from_them() {
    let Some(pool) = Script::of("awkward", "1st", "dormouse-pool") else { return };
    let user = "dormouse-a-host-with-a-33c2e3b7";
    let permissions = "create,mount,receive,send,userprop";
    let parent = format!("zfs [allow] [-l] [-u] [{user}] [create,mount,receive] [Cold Store.2:b/long]");
    let target = format!("zfs [allow] [-u] [{user}] [{permissions}] [Cold Store.2:b/long/My Files]");
    let import =
        "zpool [import] [-N] [-o] [cachefile=none] [-d] [/dev/disk/by-id] [Cold Store.2:b]".to_owned();

    let calls = pool.run();
    assert!(
        !calls.contains(&parent) && calls.contains(&target),
        "nothing may be made beside a target: {calls:?}"
    );
    for kept in
        ["canmount=off", "com.sun:auto-snapshot=false", "mountpoint=none", "readonly=on", "volmode=none"]
    {
        assert!(calls.contains(&format!("zfs [set] [{kept}] [Cold Store.2:b]")), "{calls:?}");
    }
    assert!(!calls.contains(&import) && !calls.iter().any(|call| call.starts_with("modprobe")), "{calls:?}");

    // Another boot, before the first backup: no module, no pool, no target.
    fs::remove_file(pool.path("zfs")).unwrap();
    pool.stand_in("modprobe", "test \"$1\" = -d");
    pool.stand_in("zpool", "test \"$1\" != list");
    pool.stand_in("zfs", "test \"$1 $2 $3\" != 'list -H -o' || test \"${5##*/}\" != 'My Files'");
    let calls = pool.run();
    assert_eq!(calls[..2], ["modprobe [zfs]", "modprobe [-d] [/run/current-system/kernel-modules] [zfs]"]);
    assert!(calls.contains(&import) && calls.contains(&parent) && !calls.contains(&target), "{calls:?}");
    let grants_too_much =
        |call: &String| ["destroy", "rollback", "rename", "release"].iter().any(|word| call.contains(word));
    assert!(!calls.iter().any(grants_too_much), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("[-F]") || call.contains("[-f]")), "{calls:?}");
}

/// A `zfs` with one section of rights for each dataset, as OpenZFS 2.4 prints them, and one property of the pool.
fn granting(rights: &[(&str, &str)], granted: &str, missing: &str) -> String {
    let names: String = rights.iter().map(|(name, _)| format!("{name}\\n")).collect();
    let cases: String = rights
        .iter()
        .map(|(name, text)| {
            format!("'allow {name}') printf '%b' '---- Permissions on {name} ---\\n{text}' ;;\n")
        })
        .collect();
    format!(
        "case \"$1 $2\" in\n{cases}'list -H') case $3 in -r) printf '{names}' ;; -o) [ \"$5\" != '{missing}' ] ;; esac ;;\n'get -H') case $3 in -s) printf '%s' '{granted}' ;; *) case $5 in canmount) echo off ;; com.*) echo false ;; \
         readonly) echo on ;; *) echo none ;; esac ;; esac ;;\nesac"
    )
}

#[test]
fn whatever_the_configuration_does_not_grant_is_taken_back_before_it_grants() {
    let Some(pool) = Script::of("awkward", "1st", "dormouse-pool") else { return };
    let (user, parent) = ("dormouse-a-host-with-a-33c2e3b7", "Cold Store.2:b/long");
    let permissions = "create,mount,receive,send,userprop";
    let target = format!("{parent}/My Files");
    let (below, gone) = (format!("{target}/below"), "Cold Store.2:b/gone");
    let wanted = format!("Local+Descendent permissions:\\n\\tuser {user} {permissions}\\n");
    let at_parent = format!(
        "Create time permissions:\\n\\t{permissions}\\nLocal permissions:\\n\\tuser {user} create,mount,receive\\n"
    );
    let foreign = "Permission sets:\\n\\t@all destroy,mount\\nCreate time permissions:\\n\\tdestroy\\n\
                   Local permissions:\\n\\tuser (unknown: 997) receive\\n\\teveryone send\\n\
                   Descendent permissions:\\n\\tgroup users mount\\n";
    let of_another = format!("{wanted}\\tuser dormouse-1 {permissions}\\n");
    let too_much = format!("Local permissions:\\n\\tuser {user} create,destroy,mount,receive\\n");
    let unallowed_without = |missing: &str, rights: &[(&str, &str)]| -> Vec<String> {
        pool.stand_in("zfs", &granting(rights, "-", missing));
        let calls = pool.run();
        let is_revoked = |call: &&String| call.starts_with("zfs [unallow]");
        let last = calls.iter().rposition(|call| is_revoked(&call)).unwrap_or_default();
        let first_grant = calls.iter().position(|call| call.starts_with("zfs [allow] [-"));
        assert!(first_grant.is_some_and(|first| last < first), "{calls:?}");
        assert!(calls.last().unwrap().starts_with("zfs [set] [dormouse:granted="), "{calls:?}");
        calls.iter().filter(is_revoked).map(|call| call["zfs [unallow] ".len()..].to_owned()).collect()
    };
    let unallowed = |rights: &[(&str, &str)]| unallowed_without("", rights);
    let right = [(parent, &*at_parent), (&*below, &*wanted)];
    assert_eq!(unallowed_without(&target, &right), [""; 0], "what it grants stays");
    assert_eq!(unallowed(&[(&*target, &*wanted)]), [""; 0], "what it grants stays");
    let beside = [format!("[-c] [{parent}]"), format!("[-u] [{user}] [{parent}]")];
    assert_eq!(unallowed(&right), beside, "the target is there, so nothing may be made beside it");
    assert_eq!(
        unallowed(&[(gone, foreign), (&*target, &*of_another), (&*below, &*too_much), (gone, &*wanted)]),
        [
            format!("[-s] [@all] [{gone}]"),
            format!("[-c] [{gone}]"),
            format!("[-u] [997] [{gone}]"),
            format!("[-e] [{gone}]"),
            format!("[-g] [users] [{gone}]"),
            format!("[-u] [dormouse-1] [{target}]"),
            format!("[-u] [{user}] [{below}]"),
        ]
    );
    assert_eq!(unallowed(&[(gone, &*wanted)]), [format!("[-u] [{user}] [{gone}]")], "a target that moved");
}

#[test]
fn while_the_configuration_stays_only_the_datasets_that_it_names_are_looked_at() {
    let Some(pool) = Script::of("awkward", "1st", "dormouse-pool") else { return };
    let granted = pool.run().last().unwrap().split(['=', ']']).nth(2).unwrap().to_owned();
    let granted = granted.trim_start_matches("dormouse:granted=").to_owned();
    let rights = [("Cold Store.2:b", "Local permissions:\\n\\tuser root mount\\n"), ("Cold Store.2:b/x", "")];
    pool.stand_in("zfs", &granting(&rights, &granted, ""));
    let calls = pool.run();
    assert!(calls.contains(&"zfs [unallow] [-u] [root] [Cold Store.2:b]".to_owned()), "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.contains("[Cold Store.2:b/x]") || call.contains("[set]")),
        "{calls:?}"
    );
}

#[test]
fn a_host_gives_up_partial_data_below_its_own_targets_only() {
    let Some(mut abandon) = Script::of("awkward", "1st", "dormouse-abandon@") else { return };
    // It ends with 1 where it refuses.
    abandon.text = format!("({}) 2>/dev/null || true", abandon.text);
    let (user, target) = ("dormouse-a-host-with-a-33c2e3b7", "Cold Store.2:b/long/My Files");
    for dataset in [target.to_owned(), format!("{target}/below:/deep")] {
        let calls = abandon.run_with(&[&format!("{user}:{dataset}")]);
        assert_eq!(calls, [format!("zfs [receive] [-A] [{dataset}]")]);
    }
    for other in [
        format!("{user}:Cold Store.2:b/long"),
        format!("{user}:Cold Store.2:b/long/My Files2"),
        format!("dormouse-1:{target}"),
        format!("x{user}:{target}"),
        target.to_owned(),
        String::new(),
    ] {
        assert_eq!(abandon.run_with(&[&other]), [""; 0], "{other}");
    }
}

#[test]
fn datasets_that_have_lost_data_are_marked_and_those_that_no_longer_have_not() {
    let Some(mut damage) = Script::of("awkward", "1st", "dormouse-damage") else { return };
    let pool = "Cold Store.2:b";
    // As OpenZFS prints it; the last dataset was destroyed, what is there is known by its number.
    let status = format!(
        "  pool: {pool}\n   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-8A\n\
         errors: Permanent errors have been detected in the following files:\n\n        \
         {pool}/one:/a/file:/of@it\n        {pool}/My Files@snap:1:/file\n        {pool}/one@old:<0x2>\n        \
         <metadata>:<0x3>\n        <0x104>:<0x5>\n        {pool}/gone:/file\n"
    );
    damage.stand_in("zpool", &format!("cat <<'EOF'\n{status}EOF"));
    let marked = format!("printf '%s\\n' '{pool}/well' '{pool}/one'");
    let is_there = format!("case \"$5\" in '{pool}'/[!g]*) ;; *) exit 1 ;; esac");
    damage.stand_in("zfs", &format!("case $1 in list) {is_there} ;; get) {marked} ;; esac"));
    let calls = damage.run();
    let changes: Vec<_> = calls
        .iter()
        .filter(|call| call.starts_with("zfs [set]") || call.starts_with("zfs [inherit]"))
        .collect();
    let mark = |name: &str| format!("zfs [set] [dormouse:damaged={pool}/{name}] [{pool}/{name}]");
    assert_eq!(calls[0], format!("zpool [wait] [-t] [scrub] [{pool}]"));
    assert_eq!(changes.len(), 3, "{calls:?}");
    assert_eq!(*changes[0], format!("zfs [inherit] [dormouse:damaged] [{pool}/well]"));
    assert!(changes.contains(&&mark("one")) && changes.contains(&&mark("My Files")), "{calls:?}");

    damage.stand_in("zpool", "test \"$1\" = wait || echo 'errors: No known data errors'");
    damage.stand_in("zfs", "true");
    assert_eq!(damage.run().len(), 3, "nothing is marked, and nothing was");
    // What cannot be listed is not taken for nothing.
    damage.stand_in("zpool", "test \"$1\" = wait");
    damage.stand_in("zfs", &marked);
    damage.text = format!("trap 'exit 0' EXIT\n{}", damage.text);
    assert_eq!(damage.run().len(), 2);
    damage.stand_in("zpool", &format!("test \"$1\" = wait || echo '  pool: {pool}'"));
    assert_eq!(damage.run().len(), 2, "nor is a list that is not there");
}

#[test]
fn a_scrub_begins_when_the_last_one_began_long_ago() {
    let Some(scrub) = Script::of("fleet", "cellar", "dormouse-scrub") else { return };
    let began = |days: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        format!("test \"$1\" != get || echo {}", now - days * 86_400)
    };
    for (zfs, is_due) in
        [("test \"$1\" != get || echo -".to_owned(), true), (began(6), false), (began(8), true)]
    {
        scrub.stand_in("zfs", &zfs);
        assert_eq!(scrub.run().contains(&"zpool [scrub] [cellar]".to_owned()), is_due, "{zfs}");
    }
}
