//! Random command lines: whatever the gate starts of them does no harm.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{TARGETS, ask, folders, random};

/// Whether starting this can do no harm, by other rules than the gate's.
fn is_harmless(command: &[String]) -> bool {
    let is_own = |word: &String| {
        let dataset = word.split(['@', '#']).next().unwrap();
        TARGETS.iter().any(|target| dataset == *target || dataset.starts_with(&format!("{target}/")))
    };
    let has = |word: &str| command.iter().any(|each| each == word);
    let last_is_own = command.last().is_some_and(is_own);
    match command.iter().take(2).map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["zfs", "receive" | "recv"] => {
            last_is_own && !command.iter().any(|word| word.starts_with('-') && word.contains(['F', 'd', 'e']))
        }
        ["zfs", "send"] => has("-t") || last_is_own,
        ["zfs", "list"] => last_is_own || (has("-d") && has("0") && !has("-r")),
        ["zfs", "create"] | ["zpool", "list" | "status"] => true,
        ["cat"] | ["systemctl", "poweroff" | "show"] | ["loginctl", _] | ["pkill", "-f"] => true,
        ["systemctl", "--no-ask-password"] => command[3].starts_with("dormouse-abandon@"),
        ["systemd-escape", _] => true,
        _ => false,
    }
}

/// Words that a host says and words that a thief would like to say, glued in all ways.
fn fuzzed() -> impl Strategy<Value = String> {
    let words = vec![
        "zfs",
        "zpool",
        "systemctl",
        "loginctl",
        "pkill",
        "cat",
        "cat",
        "sh",
        "rm",
        "receive",
        "recv",
        "send",
        "list",
        "create",
        "destroy",
        "rollback",
        "set",
        "status",
        "poweroff",
        "show",
        "start",
        "-s",
        "-u",
        "-F",
        "-r",
        "-R",
        "-d",
        "-d 0",
        "-o",
        "-x",
        "-t",
        "-i",
        "-I",
        "-H",
        "-p",
        "-A",
        "-sF",
        "--",
        "readonly=on",
        "canmount=noauto",
        "mountpoint",
        "vault",
        "vault/home",
        "vault/home/safe",
        "vault/home/safe@one",
        "'vault/home/mail box'",
        "vault/home/safe/x",
        "vault/other",
        "vault/other@one",
        "0",
        "1",
        "-f",
        "--no-ask-password",
        "dormouse-abandon@x.service",
        "sshd.service",
        "&&",
        "&",
        ";",
        "|",
        "zstd -q -d -c | {",
        "; }",
        "$(rm x)",
        "`rm x`",
        "'",
        "\"",
        "\\",
        "\n",
        "*",
        "#",
        "'-F'",
        "'zfs destroy'",
    ];
    let glue = prop::sample::select(vec![" ", " ", " ", " ", " ", " ", "", "  ", "\t"]);
    prop::collection::vec((prop::sample::select(words), glue), 1..10)
        .prop_map(|parts| parts.into_iter().map(|(word, glue)| format!("{word}{glue}")).collect())
}

#[test]
fn whatever_is_asked_for_nothing_harmful_is_started() {
    let folders = folders();
    // Most of what is made like this is refused at once; so some begin as a host's command does.
    let starts =
        ["", "", "zstd -q -d -c | { ", "zfs receive ", "zfs list ", "zfs send ", "zfs create ", "systemctl "];
    let asked = (prop::sample::select(starts.to_vec()), fuzzed());
    let mut runner = TestRunner::new(random::config("tests/gate.seeds", 400));
    runner
        .run(&asked, |(start, rest)| {
            let asked = format!("{start}{rest}");
            for folder in &folders {
                let (_, started) = ask(folder.path(), asked.trim_end());
                prop_assert!(started.iter().all(|command| is_harmless(command)), "{asked:?}: {started:?}");
            }
            Ok(())
        })
        .unwrap();
}
