//! Generated files, keys and their modes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dormouse_generator::spec::{Archiver, Provider};
use dormouse_generator::{Keyring, generate, layout};
use ssh_key::{PrivateKey, PublicKey};

use super::finding::Finding;
use crate::context::Context;

/// How many files are named that are not what the spec says.
const NAMED: usize = 3;

pub(super) fn examine(context: &Context) -> Vec<Finding> {
    let mut findings = vec![generated(context), identity(context), record_key(context)];
    findings.extend(host_keys(context));
    findings
}

/// Private host keys of archivers on EC2, which hosts needed to start them before there were launch templates. Whoever has
/// one can take the archiver's part towards other hosts.
fn host_keys(context: &Context) -> Vec<Finding> {
    // Where the administrator's key is, all keys are.
    if context.secrets.join(layout::ADMIN_IDENTITY).exists() {
        return Vec::new();
    }
    let is_on_ec2 = |archiver: &Archiver| matches!(archiver.provider, Provider::Ec2(_));
    let on_ec2 = context.spec.archivers.iter().filter(|(_, archiver)| is_on_ec2(archiver));
    let files = on_ec2.flat_map(|(name, _)| [layout::user_data(name), layout::archiver_host_key(name)]);
    let found = files.map(|file| context.secrets.join(file)).filter(|path| path.exists());
    let finding = |path: std::path::PathBuf| {
        let text = format!("{} holds a private key of an archiver, which no host needs", path.display());
        let fix = "once the units no longer load it (a new `systemd/ec2.conf` on Linux, a switch on NixOS)";
        Finding::bad("keys of archivers", text, format!("{fix}: `rm {}`", path.display()))
    };
    found.map(finding).collect()
}

/// Without it, records of properties are not signed, and a restore does not set what they say.
fn record_key(context: &Context) -> Finding {
    let (check, path) = ("record key", context.secret(&layout::record_key(&context.host_name)));
    match secret(check, &path) {
        finding if finding.fix.is_none() && context.seal().is_none() => {
            let fix = "run `dormouse-generate` where the seed is, and bring this host's part of the secrets";
            Finding::bad(check, format!("{} holds no key", path.display()), fix)
        }
        finding => finding,
    }
}

fn generated(context: &Context) -> Finding {
    let folder = &context.generated;
    let read = |path: &str| fs::read_to_string(folder.join(path)).ok();
    let fix = "run `dormouse-generate`, commit what it writes, and bring it here";
    let artifacts = match generate(&context.spec, &Keyring::published(&context.spec, read)) {
        Ok(artifacts) => artifacts,
        Err(_) => {
            let text = "nothing can be generated from the spec";
            return Finding::bad("generated files", text, "`dormouse-generate` says why; mend the spec");
        }
    };
    let wrong: Vec<String> = artifacts
        .iter()
        .filter_map(|artifact| Some((&artifact.path, artifact.public_text()?)))
        .filter(|(path, text)| read(path).as_deref() != Some(*text))
        .map(|(path, _)| path.clone())
        .collect();
    if wrong.is_empty() {
        return Finding::good("generated files", format!("{} is what the spec says", folder.display()));
    }
    let more = if wrong.len() > NAMED { format!(" and {} more", wrong.len() - NAMED) } else { String::new() };
    let named = wrong.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let text = format!("in {}, these are not what the spec says: {named}{more}", folder.display());
    Finding::bad("generated files", text, fix)
}

/// This host's private key: there, for its owner alone, and the half of the public one.
fn identity(context: &Context) -> Finding {
    let path = context.identity();
    let finding = secret("this host's key", &path);
    if finding.fix.is_some() {
        return finding;
    }
    let bad = |detail: String| {
        let fix = "run `dormouse-generate` where the seed is, and bring this host's key from its secrets";
        Finding::bad("this host's key", format!("{}: {detail}", path.display()), fix)
    };
    let private = fs::read_to_string(&path).map_err(|error| error.to_string());
    let private = private.and_then(|text| PrivateKey::from_openssh(text).map_err(|error| error.to_string()));
    let private = match private {
        Ok(private) => private,
        Err(error) => return bad(error),
    };
    let public = context.generated.join(format!("keys/hosts/{}.pub", context.host_name));
    let public = fs::read_to_string(public).ok().and_then(|text| PublicKey::from_openssh(&text).ok());
    match public {
        Some(public) if public.key_data() == private.public_key().key_data() => finding,
        Some(_) => bad("it is not the half of the public key in generated/keys".to_owned()),
        None => finding,
    }
}

/// A secret file that its owner alone may read.
fn secret(check: &str, path: &Path) -> Finding {
    match fs::metadata(path) {
        Err(error) => {
            let fix = "run `dormouse-generate` where the seed is, and bring this host's part of the secrets";
            Finding::bad(check, format!("{}: {error}", path.display()), fix)
        }
        Ok(data) if data.permissions().mode() & 0o077 != 0 => {
            let text = format!("others may read {}", path.display());
            Finding::bad(check, text, format!("`chmod 600 {}`", path.display()))
        }
        Ok(_) => Finding::good(check, format!("{} is for its owner alone", path.display())),
    }
}
