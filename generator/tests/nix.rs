//! Nix reads the generated files as they were meant.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::Command;

use dormouse_generator::Spec;
use dormouse_generator::reach::{host_key_alias, login};
use dormouse_generator::spec::Provider;
use serde_json::{Value, json};
use support::nix;
use tempfile::TempDir;

/// An example's public files in a folder; none when Nix is left out.
fn written(name: &str) -> Option<(Spec, TempDir)> {
    if support::is_without("nix-instantiate") {
        return None;
    }
    let spec = support::example(name);
    let folder = tempfile::tempdir().unwrap();
    support::write_all(folder.path(), &support::artifacts(&spec).0);
    Some((spec, folder))
}

#[test]
fn every_nix_file_parses() {
    for name in support::example_names() {
        let Some((spec, folder)) = written(&name) else { return };
        let (public, _) = support::artifacts(&spec);
        let files: Vec<_> = public.keys().filter(|path| path.ends_with(".nix")).collect();
        support::run(nix::command().arg("--parse").args(files.iter().map(|path| folder.path().join(path))));
    }
}

#[test]
fn the_nixos_options_hold_what_the_spec_says() {
    for name in support::example_names() {
        let Some((spec, folder)) = written(&name) else { return };
        for (host_name, host) in &spec.hosts {
            let file = folder.path().join(format!("hosts/{host_name}/nixos.nix"));
            let found = nix::eval(&format!(
                "builtins.removeAttrs (import {} {{ }}).services.dormouse [ \"generated\" ]",
                file.display()
            ));
            assert_eq!(found["hostName"], json!(host_name));
            assert_eq!(found["snapshots"], json!(host.snapshots));
            let default = format!("~/.local/state/dormouse/{}/secrets", spec.name);
            let secrets = host.secrets_dir.as_deref().unwrap_or(&default).trim_end_matches('/');
            assert_eq!(found["secretsDir"], json!(secrets));
            for (replication_name, replication) in &host.replications {
                let archiver = &spec.archivers[&replication.archiver];
                assert_eq!(
                    found["replications"][replication_name],
                    json!({
                        "host": replication.archiver,
                        "username": login(archiver, host_name),
                        "localFilesystem": replication.source,
                        "remoteFilesystem": replication.target,
                        "recursive": replication.recursive,
                        "exclude": replication.exclude,
                        "sendRaw": replication.raw,
                        "followDelete": false,
                        "identityFilePath": format!("{secrets}/hosts/{host_name}/id_ed25519"),
                        "after": replication.after,
                        "timeout": replication.timeout.as_secs(),
                        "execStartPre": replication.exec_start_pre,
                        "execStopPost": replication.exec_stop_post,
                    })
                );
                let key = &found["knownHosts"][&replication.archiver];
                assert_eq!(key["hostNames"][0], json!(host_key_alias(&spec.name, &replication.archiver)));
            }
            match host.report.as_ref().and_then(|report| report.honeycomb.as_ref()) {
                Some(honeycomb) => assert_eq!(
                    found["report"]["honeycomb"],
                    json!({ "dataset": honeycomb.dataset, "apiKeyFile": honeycomb.api_key_file })
                ),
                None => assert_eq!(found.get("report"), None),
            }
        }
    }
}

#[test]
fn the_archivers_system_holds_what_the_spec_says() {
    for name in support::example_names() {
        let Some((spec, folder)) = written(&name) else { return };
        for (archiver_name, archiver) in &spec.archivers {
            if !matches!(archiver.provider, Provider::Ec2(_)) {
                continue;
            }
            let file = folder.path().join(format!("archivers/{archiver_name}/configuration.nix"));
            let found = nix::system(&file);
            let host_id = found["networking"]["hostId"].as_str().unwrap();
            assert!(host_id.len() == 8 && u32::from_str_radix(host_id, 16).is_ok_and(|id| id != 0));
            assert_eq!(found["networking"]["hostName"], json!(archiver_name));
            assert_eq!(found["services"]["openssh"]["ports"], json!([archiver.ssh_port]));
            let users = found["users"]["users"].as_object().unwrap();
            let hosts = spec.hosts.iter().filter(|(_, host)| {
                host.replications.values().any(|replication| replication.archiver == *archiver_name)
            });
            let mut expected = vec!["root".to_owned()];
            for (host_name, _) in hosts {
                let user = login(archiver, host_name);
                let key = users[&user]["openssh"]["authorizedKeys"]["keys"][0].as_str().unwrap();
                let public =
                    fs::read_to_string(folder.path().join(format!("keys/hosts/{host_name}.pub"))).unwrap();
                let (options, key) = key.rsplit_once("\" ").unwrap();
                assert!(public.starts_with(key));
                assert!(
                    options.starts_with("restrict,command=\"") && options.contains(" /etc/dormouse/gate ")
                );
                expected.push(user);
            }
            expected.sort();
            assert_eq!(users.keys().cloned().collect::<Vec<_>>(), expected);
            let lifetime = &found["systemd"]["timers"]["dormouse-max-lifetime"]["timerConfig"]["OnBootSec"];
            assert_eq!(lifetime, &json!(archiver.max_lifetime.as_secs()));
            assert_scripts_are_sound(&found, archiver_name);
        }
    }
}

/// Every script of every unit, and the hosts' gate, passes ShellCheck and holds no hole of the template.
fn assert_scripts_are_sound(system: &Value, archiver: &str) {
    if support::is_without("shellcheck") {
        return;
    }
    let gate = &system["environment"]["etc"]["dormouse/gate"];
    let services = system["systemd"]["services"].as_object().unwrap();
    let services = services.iter().map(|(name, service)| (name.as_str(), service));
    for (unit, service) in services.chain([("gate", gate)]) {
        for part in ["script", "preStop", "text"] {
            let Some(script) = service[part].as_str() else { continue };
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(format!("{archiver}-{unit}-{part}"));
            fs::write(&file, format!("set -euo pipefail\n{script}")).unwrap();
            support::run(Command::new("shellcheck").args(["--shell", "bash"]).arg(&file));
        }
    }
    assert!(gate["text"].is_string());
}

#[test]
fn home_manager_gets_one_form_for_each_release() {
    let Some((_, folder)) = written("static") else { return };
    let file = folder.path().join("hosts/laptop/home.nix");
    let with = |options: &str| {
        nix::eval(&format!(
            "(import {} {{ options.programs.ssh = {options}; }}).programs.ssh",
            file.display()
        ))
    };
    let (new, old) = (with("{ settings = 1; matchBlocks = 1; }"), with("{ matchBlocks = 1; }"));
    let pattern = "nas nas.office.dormouse";
    let block = &new["settings"][pattern];
    assert_eq!(block["HostName"], json!("nas.lan"));
    assert_eq!(new.get("matchBlocks"), None);
    assert_eq!(old["matchBlocks"][pattern]["extraOptions"], *block);
    assert_eq!(old["matchBlocks"][pattern]["host"], json!(pattern));
    assert_eq!(old.get("settings"), None);
}
