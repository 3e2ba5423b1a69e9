//! Whether archivers answer, and whether EC2 would let those wake that sleep.

use std::collections::BTreeSet;

use dormouse_generator::layout;
use dormouse_generator::spec::Provider;

use super::finding::Finding;
use super::mounts;
use crate::context::Context;
use crate::ec2::api::dry_run::Permission;
use crate::ec2::failure::Failure;
use crate::ec2::machine::{Machine, has_configuration};
use crate::ec2::model::{Of, Template};
use crate::ec2::problem::{Kind, Problem};
use crate::error::Error;
use crate::provider::session::Sessions;
use crate::replicate::Run;

pub(super) async fn examine(context: &Context, runs: &[Run<'_>], wake: bool) -> Vec<Finding> {
    let names: BTreeSet<&str> = runs.iter().map(|run| run.replication.archiver.as_str()).collect();
    let (mut findings, mut sessions) = (Vec::new(), Sessions::new(context));
    for name in names {
        let Ok(spec) = context.archiver(name) else { continue };
        let sleeps = matches!(spec.provider, Provider::Ec2(_));
        if sleeps {
            findings.extend(ec2(context, name).await);
        }
        let is_good = findings.iter().all(|finding| finding.state != super::finding::State::Bad);
        if !sleeps || wake && is_good {
            match sessions.get(name).await {
                Ok(archiver) => {
                    findings.push(Finding::good(name, "lets this host in"));
                    findings.extend(mounts::examine(name, spec, archiver).await);
                }
                Err(error) => findings.push(of_error(name, &error)),
            }
        }
    }
    for (name, sight) in sessions.look().await {
        findings.push(match sight.failing(name) {
            None => Finding::good(name, "its pool is ONLINE, without errors"),
            Some(error) => of_error(name, &error),
        });
    }
    for closing in sessions.close().await {
        findings.extend(closing.error.as_ref().map(|error| of_error(closing.archiver, error)));
    }
    findings
}

/// Credentials, what `up` has made, and each permission, without changing anything.
async fn ec2(context: &Context, name: &str) -> Vec<Finding> {
    let machine = match Machine::find(context, name).await {
        Ok(Some(machine)) => machine,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![of_error(name, &error)],
    };
    let instances = match machine.api.instances(&machine.tags()).await {
        Ok(instances) => instances,
        Err(problem) => return vec![of_problem(&format!("AWS for {name}"), &problem)],
    };
    let mut findings = vec![Finding::good(format!("AWS for {name}"), "the credentials are good")];
    let volume = machine.volume().await;
    findings.push(match &volume {
        Ok(volume) if volume.zone != machine.ec2.availability_zone => {
            let text = format!(
                "{} is in {}, the spec says {}",
                volume.id, volume.zone, machine.ec2.availability_zone
            );
            Finding::bad(format!("volume of {name}"), text, "set `availability_zone` to the volume's")
        }
        Ok(volume) => Finding::good(
            format!("volume of {name}"),
            format!("{} has {} GiB in {}", volume.id, volume.size_gib, volume.zone),
        ),
        Err(error) => of_error(&format!("volume of {name}"), error),
    });
    let template = machine.template().await;
    findings.push(launches(&machine, &template));
    let mut permissions = Vec::new();
    // Only who can set an archiver up needs to.
    if context.secrets.join(layout::ADMIN_IDENTITY).exists() {
        permissions.push(Permission::CreateTemplate);
        permissions.push(Permission::CreateVolume(machine.ec2.availability_zone.clone()));
        permissions.push(Permission::CreateGroup);
    }
    if let Ok(template) = template {
        let launch = machine.launch(Of::Template(template.id), "dormouse-doctor".to_owned());
        permissions.push(Permission::Launch(Box::new(launch)));
    }
    let living = instances.iter().find(|instance| instance.is_live());
    if let (Ok(volume), Some(instance)) = (&volume, living) {
        permissions.push(Permission::Attach(volume.id.clone(), instance.id.clone()));
        permissions.push(Permission::Terminate(instance.id.clone()));
    }
    for permission in &permissions {
        findings.push(may(&machine, permission).await);
    }
    if living.is_none() {
        let fix = "nothing to do; run it again while the archiver is awake to have these checked too";
        let text = "ec2:AttachVolume and ec2:TerminateInstances can be asked of an instance only";
        findings.push(Finding::note(format!("permissions of {name}"), text, fix));
    }
    findings
}

/// What hosts start.
fn launches(machine: &Machine<'_>, template: &Result<Template, Error>) -> Finding {
    let check = format!("launch template of {}", machine.name);
    match (template, &machine.configuration_hash()) {
        (Ok(template), Ok(hash)) if has_configuration(&template.tags, hash) => {
            Finding::good(check, format!("{} has this configuration", template.id))
        }
        (Ok(template), Ok(_)) => {
            let fix = format!("copy the newest generated files here, or run `dormouse up {}`", machine.name);
            Finding::bad(
                check,
                format!("{} has a different configuration from the files here", template.id),
                fix,
            )
        }
        (Err(error), _) | (_, Err(error)) => of_error(&check, error),
    }
}

async fn may(machine: &Machine<'_>, permission: &Permission) -> Finding {
    let check = format!("ec2:{} for {}", permission.action(), machine.name);
    match machine.api.may(permission, &machine.tags()).await {
        Ok(()) => Finding::good(check, "is allowed"),
        Err(problem) => of_problem(&check, &problem),
    }
}

fn of_problem(check: &str, problem: &Problem) -> Finding {
    let fix = match problem.kind() {
        Kind::NoAnswer => "is the network up, does the region exist, and are there credentials? \
            `aws sts get-caller-identity` with the same environment"
            .to_owned(),
        _ => problem.help(),
    };
    Finding::bad(check, problem.to_string(), fix)
}

pub(super) fn of_error(check: &str, error: &Error) -> Finding {
    match error {
        Error::Ec2(Failure::Call(problem)) => of_problem(check, problem),
        other => Finding::bad(check, other.to_string(), other.help()),
    }
}
