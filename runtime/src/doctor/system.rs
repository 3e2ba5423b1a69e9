//! ssh, the clock, the units.

use dormouse_generator::{layout, reach};

use super::ask;
use super::finding::Finding;
use crate::context::Context;
use crate::exec;
use crate::replicate::Run;
use crate::report::known::Known;

/// ssh itself, and whether `ssh <archiver>` uses what was generated.
pub(super) async fn ssh(context: &Context, runs: &[Run<'_>]) -> Vec<Finding> {
    let program = context.ssh_program.as_str();
    if let Err(error) = ask(context, &[program, "-V"]).await {
        let fix = "install OpenSSH's client, or name it with --ssh";
        return vec![Finding::bad("ssh", error.to_string(), fix)];
    }
    let mut findings = vec![Finding::good("ssh", format!("{program} runs"))];
    let mut archivers: Vec<&str> = runs.iter().map(|run| run.replication.archiver.as_str()).collect();
    archivers.sort_unstable();
    archivers.dedup();
    for archiver in archivers {
        let text = ask(context, &[program, "-G", archiver]).await.unwrap_or_default();
        let alias = reach::host_key_alias(&context.spec.name, archiver);
        findings.push(config(context, archiver, is_in_force(&text, &alias)));
    }
    findings
}

fn config(context: &Context, archiver: &str, is_in_force: bool) -> Finding {
    let check = format!("ssh {archiver}");
    if is_in_force {
        return Finding::good(check, "uses the generated configuration");
    }
    let path = context.generated.join(layout::ssh_config(&context.host_name));
    let path = std::path::absolute(&path).unwrap_or(path);
    let fix = format!("if you want it, put `Include \"{}\"` on top of ~/.ssh/config", path.display());
    Finding::note(check, "does not use the generated configuration; replication does not need it", fix)
}

/// Whether `ssh -G` (ssh(1)) shows the generated name of the host key.
#[must_use]
pub fn is_in_force(text: &str, alias: &str) -> bool {
    text.lines().any(|line| line.split_once(' ') == Some(("hostkeyalias", alias)))
}

/// AWS refuses requests of a clock that is five minutes off, and ages are wrong by it.
pub(super) async fn clock(context: &Context) -> Vec<Finding> {
    let asked = ask(context, &["timedatectl", "show", "--property=NTPSynchronized", "--value"]).await;
    vec![match asked.as_deref().map(str::trim) {
        Ok("yes") => Finding::good("clock", "is synchronized"),
        Ok(_) => {
            let fix = "`timedatectl set-ntp true`; `timedatectl timesync-status` says how far it is off";
            Finding::bad("clock", "is not synchronized; AWS refuses one that is five minutes off", fix)
        }
        Err(_) => Finding::note(
            "clock",
            "cannot be asked: there is no timedatectl",
            "compare `date -u` with a clock",
        ),
    }]
}

/// Whether something starts the replications: a unit of the NixOS module, or of `docs/linux.md`.
pub(super) async fn units(context: &Context, runs: &[Run<'_>]) -> Vec<Finding> {
    let known = Known::of(&context.spec.name).ok();
    let mut findings = Vec::new();
    for run in runs {
        let (mut unit, mut asked) = (String::new(), Ok(String::new()));
        for separator in ["@", "-"] {
            unit = format!("dormouse{separator}{}.service", run.name);
            let argv = ["systemctl", "show", "--property=LoadState,ActiveState,Result", &unit];
            asked = ask(context, &argv).await;
            if asked.as_ref().is_ok_and(|text| text.contains("LoadState=loaded")) {
                break;
            }
        }
        let last = known.as_ref().and_then(|known| known.last_run(run.name));
        findings.push(unit_state(&unit, run.name, asked, last.map(|last| last.event.trigger)));
    }
    findings
}

fn unit_state(
    unit: &str,
    replication: &str,
    asked: Result<String, exec::Error>,
    trigger: Option<String>,
) -> Finding {
    let text = asked.unwrap_or_default();
    let is = |wanted: &str| text.lines().any(|line| line == wanted);
    if is("LoadState=loaded") && is("ActiveState=failed") {
        let result = text.lines().find_map(|line| line.strip_prefix("Result=")).unwrap_or_default();
        return Finding::bad(
            unit,
            format!("its last run failed: {result}"),
            format!("`journalctl -u {unit} -e`"),
        );
    }
    if is("LoadState=loaded") {
        return Finding::good(unit, "is there");
    }
    match trigger.as_deref() {
        Some(trigger) if trigger != "person" => {
            Finding::good(unit, format!("is not there, but the last run was started by a {trigger}"))
        }
        _ => Finding::bad(
            unit,
            "is not there, and nothing else has started a run yet",
            format!("use the NixOS module, or start `dormouse replicate {replication}` from a timer"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_configuration_shows_in_what_ssh_would_do() {
        let text = "user backup\nhostname nas.lan\nhostkeyalias nas.home.dormouse\n";
        assert!(is_in_force(text, "nas.home.dormouse"));
        assert!(!is_in_force("user me\nhostname nas\n", "nas.home.dormouse"));
    }

    #[test]
    fn a_unit_counts_when_it_is_loaded_and_has_not_failed() {
        let state = |text: &str, trigger: Option<&str>| {
            unit_state("dormouse-safe.service", "safe", Ok(text.to_owned()), trigger.map(str::to_owned)).fix
        };
        assert_eq!(state("LoadState=loaded\nActiveState=inactive\nResult=success\n", None), None);
        let failed = state("LoadState=loaded\nActiveState=failed\nResult=timeout\n", None);
        assert_eq!(failed.unwrap(), "`journalctl -u dormouse-safe.service -e`");
        assert!(state("LoadState=not-found\n", None).unwrap().contains("dormouse replicate safe"));
        assert!(state("LoadState=not-found\n", Some("person")).is_some());
        assert_eq!(state("LoadState=not-found\n", Some("process")), None, "cron starts it");
    }
}
