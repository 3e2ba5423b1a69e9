//! What all artifacts are made from: the spec, the keys derived once, the templates.

use std::collections::BTreeMap;

use minijinja::Value;

use crate::json_path::JsonPath;
use crate::keyring::{KeyId, KeyPair, Keyring, given_host_key};
use crate::layout;
use crate::problem::Problem;
use crate::public_key::PublicKey;
use crate::secret::Secret;
use crate::spec::{Archiver, Ec2, Host, Provider, Spec};
use crate::template::Templates;

pub(crate) struct Inputs<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) keys: BTreeMap<KeyId, KeyPair>,
    /// By host, where there is a seed.
    pub(crate) record_keys: BTreeMap<&'a str, Secret>,
    templates: Templates,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(spec: &'a Spec, keyring: &Keyring) -> Result<Self, Vec<Problem>> {
        let templates = Templates::new().map_err(|error| defect(&error))?;
        let derive = |id: KeyId| keyring.key(&spec.name, &id).map(|pair| (id, pair));
        let keys = KeyId::all(spec).into_iter().map(derive).collect::<Result<_, _>>();
        let keys = keys.map_err(|error| defect(&error))?;
        let mut record_keys = BTreeMap::new();
        for (name, host) in &spec.hosts {
            let key = keyring.record_key(&spec.name, name, host).map_err(|error| defect(&error))?;
            record_keys.extend(key.map(|key| (name.as_str(), key)));
        }
        Ok(Self { spec, keys, record_keys, templates })
    }

    /// A public key that the spec derives.
    pub(crate) fn public(&self, id: &KeyId) -> Result<&PublicKey, Vec<Problem>> {
        self.keys.get(id).map(|pair| &pair.public).ok_or_else(|| defect(&format!("no {}", id.public_path())))
    }

    /// The host key of an archiver, derived or given, without its comment.
    pub(crate) fn host_key(&self, name: &str, archiver: &Archiver) -> Result<String, Vec<Problem>> {
        match given_host_key(archiver).map(PublicKey::parse) {
            Some(Ok(key)) => Ok(key.key().to_owned()),
            Some(Err(reason)) => {
                let path = JsonPath::of(&["archivers", name, "provider", "host_key"]);
                Err(vec![Problem::new(path, reason, "write the archiver's public host key")])
            }
            None => Ok(self.public(&KeyId::archiver(name, archiver))?.key().to_owned()),
        }
    }

    /// The archivers that a host replicates to, each once.
    pub(crate) fn archivers_of(&self, host: &Host) -> BTreeMap<&'a str, &'a Archiver> {
        let names = host.replications.values().map(|replication| replication.archiver.as_str());
        names
            .filter_map(|name| self.spec.archivers.get_key_value(name))
            .map(|(name, archiver)| (name.as_str(), archiver))
            .collect()
    }

    /// The hosts that replicate to an archiver.
    pub(crate) fn hosts_of(&self, archiver: &str) -> impl Iterator<Item = (&'a str, &'a Host)> {
        let is_used = move |host: &Host| host.replications.values().any(|each| each.archiver == archiver);
        self.spec
            .hosts
            .iter()
            .filter(move |(_, host)| is_used(host))
            .map(|(name, host)| (name.as_str(), host))
    }

    /// The archivers that run on EC2.
    pub(crate) fn ec2(&self) -> impl Iterator<Item = (&'a str, &'a Archiver, &'a Ec2)> {
        self.spec.archivers.iter().filter_map(|(name, archiver)| match &archiver.provider {
            Provider::Ec2(machine) => Some((name.as_str(), archiver, machine)),
            Provider::Static(_) => None,
        })
    }

    /// The folder that holds a host's secrets, as the host sees it.
    pub(crate) fn secrets_dir(&self, host: &Host) -> String {
        let default = || layout::default_secrets_dir(&self.spec.name);
        host.secrets_dir.as_deref().map_or_else(default, |folder| folder.trim_end_matches('/').to_owned())
    }

    /// The file of a host's identity, as the host sees it.
    pub(crate) fn identity_file(&self, name: &str, host: &Host) -> String {
        format!("{}/{}", self.secrets_dir(host), layout::host_identity(name))
    }

    /// A template filled in with these values.
    pub(crate) fn render(&self, template: &str, values: Value) -> Result<String, Vec<Problem>> {
        self.templates.render(template, values).map_err(|error| defect(&error))
    }
}

/// A defect of this program, not of the spec.
pub(crate) fn defect(error: &impl ToString) -> Vec<Problem> {
    let reason = format!("this program cannot write an artifact of it ({})", error.to_string());
    vec![Problem::new(JsonPath::root(), reason, "report this with the spec; nothing was written")]
}
