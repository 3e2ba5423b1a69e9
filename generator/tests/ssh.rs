//! OpenSSH takes the keys and the configuration, and so does the NixOS image.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dormouse_generator::Spec;
use dormouse_generator::artifact::user_data::{compact, packed, switch};
use dormouse_generator::spec::Provider;

/// Picks the host key out of user data: the two lines of `apply-ec2-data` in the NixOS image.
const IMAGE_READS_KEY: [&str; 2] =
    [r"s/|/\n/g; s/SSH_HOST_ED25519_KEY://; t; d", "s/SSH_HOST_ED25519_KEY_PUB://; t; d"];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn ssh_keygen_reads_every_private_key_and_finds_its_public_one() {
    if support::is_without("ssh-keygen") {
        return;
    }
    let folder = folder();
    for name in support::example_names() {
        let (_, secret) = support::artifacts(&support::example(&name));
        support::write_all(folder.path(), &secret);
        for path in secret.keys().filter(|path| secret.contains_key(&format!("{path}.pub"))) {
            let found =
                support::run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(folder.path().join(path)));
            assert_eq!(found.as_bytes(), secret[&format!("{path}.pub")], "{path}");
        }
    }
}

#[test]
fn the_image_finds_the_host_key_in_the_user_data() {
    if support::is_without("ssh-keygen") {
        return;
    }
    let folder = folder();
    for name in support::example_names() {
        let spec = support::example(&name);
        let (public, secret) = support::artifacts(&spec);
        support::write_all(folder.path(), &secret);
        for (path, text) in secret.iter().filter(|(path, _)| path.ends_with("user-data")) {
            let archiver = path.split('/').nth(1).unwrap();
            assert!(text.len() < 16_384, "{} bytes", text.len());
            let file = folder.path().join(path);
            let [key, key_pub] =
                IMAGE_READS_KEY.map(|script| support::run(Command::new("sed").arg(script).arg(&file)));
            let key_file = folder.path().join("key");
            // The shell's $(…) drops the line ends, and echo adds one.
            support::write_all(folder.path(), &[("key".to_owned(), format!("{}\n", key.trim_end()))].into());
            let found = support::run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(&key_file));
            assert_eq!(found, key_pub);
            assert_eq!(found, public[&format!("keys/archivers/{archiver}.pub")]);
            assert!(text.starts_with(b"#!/usr/bin/env bash\n"));
            let Provider::Ec2(machine) = &spec.archivers[archiver].provider else { continue };
            if machine.image.bake {
                assert!(text.ends_with(b"\nDORMOUSE_KEYS\nset -eu\n"));
                continue;
            }
            // The rest is a script by which the image becomes the configuration.
            let configuration = &public[&format!("archivers/{archiver}/configuration.nix")];
            assert!(text.ends_with(switch(&packed(configuration).unwrap()).as_bytes()));
            let script = switch(&packed(configuration).unwrap())
                .replace("/etc/nixos", folder.path().to_str().unwrap())
                .replace("nixos-rebuild", "true");
            support::run(Command::new("bash").args(["-euc", &script]));
            let unpacked = fs::read_to_string(folder.path().join("configuration.nix")).unwrap();
            assert_eq!(unpacked, compact(configuration));
            assert!(!configuration.contains('|'));
            assert!(!configuration.lines().any(|line| line.starts_with("###")));
        }
    }
}

#[test]
fn ssh_takes_every_configuration() {
    if support::is_without("ssh") {
        return;
    }
    let folder = folder();
    for name in support::example_names() {
        let spec = support::example(&name);
        let (public, _) = support::artifacts(&spec);
        for (host_name, host) in &spec.hosts {
            let path = format!("hosts/{host_name}/ssh_config");
            support::write_all(folder.path(), &[(path.clone(), &public[&path])].into());
            for replication in host.replications.values() {
                let found = support::run(
                    Command::new("ssh")
                        .arg("-G")
                        .arg("-F")
                        .arg(folder.path().join(&path))
                        .arg(&replication.archiver),
                );
                let has = |line: String| assert!(found.lines().any(|each| each == line), "{line}\n{found}");
                let archiver = &spec.archivers[&replication.archiver];
                has(format!("port {}", archiver.ssh_port));
                has(format!("user {}", dormouse_generator::reach::login(archiver, host_name)));
                has(format!("hostkeyalias {}.{}.dormouse", replication.archiver, spec.name));
                has("stricthostkeychecking true".to_owned());
                if let Some(folder) = &host.secrets_dir {
                    let folder = folder.replace('%', "%%");
                    has(format!("identityfile {folder}/hosts/{host_name}/id_ed25519"));
                }
            }
        }
    }
}

/// An ssh server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_session_opens_with_the_right_host_key_and_not_with_another() {
    if support::is_without("sshd") || support::is_without("ssh") {
        return;
    }
    let folder = folder();
    let secrets = folder.path().join("my secrets, 100%");
    let (spec, port) = spec_of_this_machine(&secrets);
    let (public, secret) = support::artifacts(&spec);
    support::write_all(folder.path(), &public);
    support::write_all(&secrets, &secret);
    let _server = serve(folder.path(), &secrets, port);

    let config = folder.path().join("hosts/desktop/ssh_config");
    let ssh = |config: &Path| {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(config).args(["-o", "BatchMode=yes", "nas", "echo", "hello"]);
        support::run_any(&mut command)
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let output = loop {
        let output = ssh(&config);
        if output.status.success() || Instant::now() > deadline {
            break output;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(output.stdout, b"hello\n", "{}", String::from_utf8_lossy(&output.stderr));

    let key = |path: &str| public[path].split(' ').nth(1).unwrap().to_owned();
    let other = public["hosts/desktop/ssh_config"]
        .replace(&key("keys/archivers/nas.pub"), &key("keys/hosts/desktop.pub"));
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, other).unwrap();
    let refused = ssh(&wrong);
    assert!(refused.stdout.is_empty());
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(reason.contains("Host key verification failed"), "{reason}");
}

fn spec_of_this_machine(secrets: &Path) -> (Spec, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let user = support::run(Command::new("id").arg("-un"));
    let text = serde_json::json!({
        "version": 1, "name": "here",
        "archivers": { "nas": {
            "provider": { "type": "static", "address": "127.0.0.1", "user": user.trim() },
            "pool": { "name": "tank" }, "ssh_port": port
        } },
        "hosts": { "desktop": { "secrets_dir": secrets, "replications": {
            "safe": { "archiver": "nas", "source": "rpool/safe", "target": "tank/safe" }
        } } }
    });
    (Spec::parse("here", text.to_string().as_bytes()).unwrap().spec, port)
}

fn serve(folder: &Path, secrets: &Path, port: u16) -> Server {
    let settings = format!(
        "Port {port}\nListenAddress 127.0.0.1\nStrictModes no\nPidFile none\nUsePAM no\n\
         HostKey \"{}\"\nAuthorizedKeysFile \"{}\"\n",
        secrets.join("archivers/nas/ssh_host_ed25519_key").display(),
        folder.join("archivers/nas/authorized_keys").to_str().unwrap().replace('%', "%%"),
    );
    fs::write(folder.join("sshd_config"), settings).unwrap();
    let _privilege_separation = fs::create_dir_all("/run/sshd");
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-D").arg("-e").arg("-f").arg(folder.join("sshd_config"));
    Server(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}
