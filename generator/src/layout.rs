//! Where artifacts lie in their two folders: the generator writes there, the runtime reads.

/// The public folder's default name, beside the spec.
pub const DEFAULT_OUT: &str = "generated";

/// The canonical spec, in the public folder.
pub const SPEC: &str = "spec.json";

/// The known_hosts file, in the public folder.
pub const KNOWN_HOSTS: &str = "known_hosts";

/// The list of artifacts, in the public folder.
pub const MANIFEST: &str = "manifest.json";

/// The administrator's identity, in the secrets folder; its public half ends in `.pub`.
pub const ADMIN_IDENTITY: &str = "admin/id_ed25519";

/// The secrets folder of a spec when nobody names one, for users whose state lies at its default.
#[must_use]
pub fn default_secrets_dir(spec_name: &str) -> String {
    format!("~/.local/state/dormouse/{spec_name}/secrets")
}

/// A host's identity, in the secrets folder; its public half ends in `.pub`.
#[must_use]
pub fn host_identity(host: &str) -> String {
    format!("hosts/{host}/id_ed25519")
}

/// The key that signs a host's records of properties, in the secrets folder.
#[must_use]
pub fn record_key(host: &str) -> String {
    format!("hosts/{host}/record_key")
}

/// An archiver's host key, in the secrets folder; its public half ends in `.pub`.
#[must_use]
pub fn archiver_host_key(archiver: &str) -> String {
    format!("archivers/{archiver}/ssh_host_ed25519_key")
}

/// What an EC2 archiver is booted with, in the secrets folder.
#[must_use]
pub fn user_data(archiver: &str) -> String {
    format!("archivers/{archiver}/user-data")
}

/// A file of an archiver, in the public folder.
#[must_use]
pub fn archiver_file(archiver: &str, file: &str) -> String {
    format!("archivers/{archiver}/{file}")
}

/// A file of a host, in the public folder.
#[must_use]
pub fn host_file(host: &str, file: &str) -> String {
    format!("hosts/{host}/{file}")
}

/// A host's ssh_config, in the public folder.
#[must_use]
pub fn ssh_config(host: &str) -> String {
    host_file(host, "ssh_config")
}
