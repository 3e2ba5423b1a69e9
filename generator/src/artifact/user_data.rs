//! `archivers/<a>/user-data`: what an EC2 archiver is booted with: its host key, then its
//! configuration. A baked image has that already, and takes the host key alone.
//!
//! Two services of the NixOS image read it. `apply-ec2-data` picks the host key with sed: it takes
//! every line that holds a vertical bar for a line of the key, so there must be no other. Then
//! `amazon-init` runs the text, whose first line says that it is a script and to which the keys are a
//! document that nothing reads.
//!
//! EC2 accepts little, so the configuration is compressed, without comments and indentation.

use std::io::Write;

use base64ct::{Base64, Encoding};
use flate2::{Compression, GzBuilder};

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

/// What is said around keys and configuration.
const LONGEST_FRAME: usize = 448;

pub(crate) fn make(inputs: &Inputs, others: &[Artifact]) -> Result<Vec<Artifact>, Vec<Problem>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for (name, archiver, machine) in inputs.ec2() {
        let path = configuration::path(name);
        let configuration = others.iter().find(|artifact| artifact.path == path);
        let text = configuration.and_then(Artifact::public_text).ok_or_else(|| defect(&path))?;
        if text.contains('|') || text.lines().any(|line| line.starts_with("###")) {
            return Err(defect(&format!("{path} holds what the image's services misread")));
        }
        let text = &packed(text).map_err(|error| defect(&error))?;
        let Some(pair) = inputs.keys.get(&KeyId::archiver(name, archiver)) else { continue };
        // An image is baked with the rest brought over ssh.
        if !machine.image.bake {
            problems.extend(too_long(name, header_bytes(pair) + text.len()));
        }
        if let Some(private) = &pair.private {
            let switch = if machine.image.bake { String::new() } else { switch(text) };
            files.push(Artifact::secret(layout::user_data(name), with_keys(private, pair, &switch)));
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// The configuration, compressed: the same bytes whenever and wherever it is done.
///
/// # Errors
/// When memory does not suffice.
pub fn packed(configuration: &str) -> std::io::Result<String> {
    let mut packer = GzBuilder::new().write(Vec::new(), Compression::best());
    packer.write_all(compact(configuration).as_bytes())?;
    Ok(Base64::encode_string(&packer.finish()?))
}

/// The end of a script for NixOS' amazon-init: the image becomes the [`packed`] configuration.
#[must_use]
pub fn switch(packed: &str) -> String {
    format!(
        "base64 -d >/etc/nixos/configuration.nix.gz <<'DORMOUSE_CONFIGURATION'\n\
         {packed}\n\
         DORMOUSE_CONFIGURATION\n\
         gzip -d -f /etc/nixos/configuration.nix.gz\n\
         nixos-rebuild switch\n"
    )
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

fn with_keys(private: &Secret, pair: &KeyPair, switch: &str) -> Secret {
    let mut text = b"#!/usr/bin/env bash\n: <<'DORMOUSE_KEYS'\nSSH_HOST_ED25519_KEY:".to_vec();
    // Room for all of it at once: growing would leave parts of the key behind in memory.
    text.reserve_exact(header_bytes(pair) + switch.len());
    text.extend(private.expose().iter().map(|byte| if *byte == b'\n' { b'|' } else { *byte }));
    text.extend(format!("\nSSH_HOST_ED25519_KEY_PUB:{}\nDORMOUSE_KEYS\nset -eu\n", pair.public).bytes());
    text.extend(switch.bytes());
    Secret::new(text)
}

fn too_long(name: &str, bytes: usize) -> Option<Problem> {
    (bytes > MAX_BYTES).then(|| {
        let reason = format!("its user data would have {bytes} bytes, and EC2 accepts {MAX_BYTES}");
        let fix = "leave `bake` out: an image holds any number of targets";
        Problem::new(JsonPath::of(&["archivers", name, "provider", "image", "bake"]), reason, fix)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_the_configuration() {
        let text = "{\n  a = 1;\n}\n".repeat(1000);
        let bytes = Base64::decode_vec(&packed(&text).unwrap()).unwrap();
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut unpacked).unwrap();
        assert_eq!(unpacked, compact(&text));
        assert_eq!(packed(&text).unwrap(), packed(&text).unwrap());
    }

    #[test]
    fn what_only_people_read_is_left_out() {
        let text = "# A comment.\n{\n  a = ''\n    # one more\n    echo \"# none\" #x\n\n  '';\n}\n";
        assert_eq!(compact(text), "{\na = ''\necho \"# none\" #x\n'';\n}\n");
    }
}
