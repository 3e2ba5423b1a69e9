//! `archivers/<a>/user-data`: what an EC2 archiver is booted with: its host key, then its
//! configuration.
//!
//! Two services of the NixOS image read it. `apply-ec2-data` picks the host key with sed: it takes
//! every line that holds a vertical bar for a line of the key, so there must be no other. Then
//! `amazon-init` takes the text for a Nix expression, to which the keys are a comment; lines that
//! begin with three hashes it would take for channels.
//!
//! EC2 takes little, so what only people read is left out: indentation and whole lines of comment.

use super::{Artifact, configuration};
use crate::inputs::{Inputs, defect};
use crate::json_path::JsonPath;
use crate::keyring::{KeyId, KeyPair};
use crate::layout;
use crate::problem::Problem;
use crate::secret::Secret;

/// What EC2 takes, before base64.
pub const MAX_BYTES: usize = 16_384;

/// An ed25519 key in OpenSSH's format with a comment of 160 bytes has 609.
const LONGEST_PRIVATE_KEY: usize = 640;

/// What is said around keys and configuration: here, and in the script by which `dormouse up` bakes
/// an image, whose private key has no comment.
pub const LONGEST_FRAME: usize = 384;

pub(crate) fn make(inputs: &Inputs, others: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for (name, archiver, _) in inputs.ec2() {
        let path = configuration::path(name);
        let configuration = others.iter().find(|artifact| artifact.path == path);
        let text = configuration.and_then(Artifact::public_text).ok_or_else(|| defect(&path))?;
        if text.contains('|') || text.lines().any(|line| line.starts_with("###")) {
            return Err(defect(&format!("{path} holds what the image's services misread")));
        }
        let text = &compact(text);
        let Some(pair) = inputs.keys.get(&KeyId::archiver(name, archiver)) else { continue };
        problems.extend(too_long(inputs, name, header_bytes(pair) + text.len()));
        if let Some(private) = &pair.private {
            files.push(Artifact::secret(layout::user_data(name), with_keys(private, pair, text)));
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// The configuration without indentation, empty lines and comments. In its scripts, which are all for
/// a shell or polkit's JavaScript, none of these mean anything either: no string of ours spans lines.
#[must_use]
pub fn compact(configuration: &str) -> String {
    let lines = configuration.lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).fold(String::new(), |mut text, line| {
        text.push_str(line);
        text.push('\n');
        text
    })
}

/// The most that all but the configuration can have. The private key's length differs with its comment,
/// whose parts have 63 bytes each at most; `--check` has to judge without seeing it.
fn header_bytes(pair: &KeyPair) -> usize {
    LONGEST_PRIVATE_KEY + pair.public.to_string().len() + LONGEST_FRAME
}

fn with_keys(private: &Secret, pair: &KeyPair, configuration: &str) -> Secret {
    let mut text = b"/*\nSSH_HOST_ED25519_KEY:".to_vec();
    // Room for all of it at once: growing would leave parts of the key behind in memory.
    text.reserve_exact(header_bytes(pair) + configuration.len());
    text.extend(private.expose().iter().map(|byte| if *byte == b'\n' { b'|' } else { *byte }));
    text.extend(format!("\nSSH_HOST_ED25519_KEY_PUB:{}\n*/\n", pair.public).bytes());
    text.extend(configuration.bytes());
    Secret::new(text)
}

fn too_long(inputs: &Inputs, name: &str, bytes: usize) -> Option<Problem> {
    (bytes > MAX_BYTES).then(|| {
        let hosts = inputs.hosts_of(name).count();
        let reason = format!(
            "its user data has {bytes} bytes with the keys of {hosts} hosts, and EC2 takes {MAX_BYTES}"
        );
        let fix = "let some of its hosts replicate to another archiver";
        Problem::new(JsonPath::of(&["archivers", name]), reason, fix).on_key()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_people_read_is_left_out() {
        let text = "# A comment.\n{\n  a = ''\n    # one more\n    echo \"# none\" #x\n\n  '';\n}\n";
        assert_eq!(compact(text), "{\na = ''\necho \"# none\" #x\n'';\n}\n");
    }
}
