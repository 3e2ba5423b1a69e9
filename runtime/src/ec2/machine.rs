//! One archiver on EC2: its part of the spec, its tags, its files.

use std::collections::BTreeMap;
use std::time::Instant;

use dormouse_generator::name::DatasetName;
use dormouse_generator::problem::Problem;
use dormouse_generator::spec::{Archiver, Ec2, Host, Market, Provider};
use dormouse_generator::{Keyring, layout};
use sha2::{Digest, Sha256};

use super::api::Api;
use super::failure::Failure;
use super::model::{Image, Launch, Of, Settings, Template, Volume};
use super::token::TokenFile;
use crate::context::Context;
use crate::error::Error;
use crate::folder;
use crate::log;

/// Tag with the hash of the configuration that an image was baked with, a template launches, and an instance has.
pub const CONFIGURATION: &str = "dormouse:configuration";

/// Digits of that hash; 64 bits, so that two configurations of one archiver never meet.
const HASH_DIGITS: usize = 16;

/// Tag with the hash of who may enter an image's system, and what they may do there.
pub const ACCESS: &str = "dormouse:access";

/// Device name under which the volume is attached; the guest sees it as NVMe and finds the pool
/// by its label, so it only has to be free.
pub const DEVICE: &str = "/dev/sdf";

/// Whether these tags say that something has the configuration with this hash.
#[must_use]
pub fn has_configuration(tags: &BTreeMap<String, String>, hash: &str) -> bool {
    tags.get(CONFIGURATION).is_some_and(|of| of == hash)
}

/// Whether an image lets in exactly those whom the spec does, and to what it says.
#[must_use]
pub fn lets_in(image: &Image, access: &str) -> bool {
    image.tags.get(ACCESS).is_some_and(|of| of == access)
}

/// An archiver on EC2.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    /// Where everything is.
    pub context: &'a Context,
    /// Its name.
    pub name: &'a str,
    /// Its part of the spec.
    pub archiver: &'a Archiver,
    /// The EC2 side of that.
    pub ec2: &'a Ec2,
    /// EC2 in its region.
    pub api: Api,
}

impl<'a> Machine<'a> {
    /// The archiver of this name, if it is on EC2.
    pub async fn find(context: &'a Context, name: &'a str) -> Result<Option<Self>, Error> {
        let archiver = context.archiver(name)?;
        let Provider::Ec2(ec2) = &archiver.provider else { return Ok(None) };
        let api = Api::connect(&ec2.region).await;
        Ok(Some(Self { context, name, archiver, ec2, api }))
    }

    /// The tags that everything of this archiver has, and nothing else.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let pairs = [("dormouse:spec", self.context.spec.name.as_str()), ("dormouse:archiver", self.name)];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// These tags and a name for AWS' console.
    #[must_use]
    pub fn tags_with_name(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags();
        tags.insert("Name".to_owned(), self.title());
        tags
    }

    /// How it is called among other things of the account.
    #[must_use]
    pub fn title(&self) -> String {
        format!("dormouse-{}-{}", self.context.spec.name, self.name)
    }

    /// Whether what it launches from is one of NixOS' public images, chosen at the last `up`.
    #[must_use]
    pub fn pins_public_image(&self) -> bool {
        !self.ec2.image.bake && self.ec2.image.id.is_none()
    }

    /// Its targets, by host.
    #[must_use]
    pub fn targets(&self) -> BTreeMap<String, Vec<DatasetName>> {
        let of = |host: &Host| {
            let replications = host.replications.values().filter(|each| each.archiver == self.name);
            replications.map(|each| each.target.clone()).collect::<Vec<_>>()
        };
        let all = self.context.spec.hosts.iter().map(|(name, host)| (name.clone(), of(host)));
        all.filter(|(_, targets)| !targets.is_empty()).collect()
    }

    /// The client tokens of one purpose.
    ///
    /// # Errors
    /// When there is no folder for them.
    pub fn token(&self, purpose: &str) -> Result<TokenFile, Error> {
        Ok(TokenFile::new(&folder::state()?, &self.context.spec.name, self.name, purpose))
    }

    /// From where ssh is let in: as the spec says, else from where this is run.
    ///
    /// # Errors
    /// [`Failure::NoCaller`].
    pub async fn ssh_from(&self) -> Result<Vec<String>, Error> {
        match self.ec2.ssh_from.as_slice() {
            [] => Ok(vec![super::caller::range().await?]),
            ranges => Ok(ranges.to_vec()),
        }
    }

    /// Its volumes, the oldest first; those that a smaller one has replaced left out. There is
    /// more than one while it moves to a smaller one.
    ///
    /// # Errors
    /// [`Failure::Call`].
    pub async fn volumes(&self) -> Result<Vec<Volume>, Error> {
        let mut volumes = self.api.volumes(&self.tags()).await?;
        volumes.retain(|volume| !volume.retired);
        Ok(volumes)
    }

    /// Its volume: the oldest, so that an unfinished move to a smaller one changes nothing.
    ///
    /// # Errors
    /// [`Failure::NoVolume`] or [`Failure::Call`].
    pub async fn volume(&self) -> Result<Volume, Error> {
        let missing = || Failure::NoVolume { archiver: self.name.to_owned() };
        Ok(self.volumes().await?.into_iter().next().ok_or_else(missing)?)
    }

    /// Its configuration.
    ///
    /// # Errors
    /// [`Error::MissingFile`].
    pub fn configuration(&self) -> Result<String, Error> {
        let path = self.context.generated.join(layout::archiver_file(self.name, "configuration.nix"));
        let text = std::fs::read_to_string(&path);
        text.map_err(|source| Error::MissingFile { what: "the archiver's configuration", path, source })
    }

    /// The hash of its configuration, which names its baked image.
    ///
    /// # Errors
    /// [`Error::MissingFile`].
    pub fn configuration_hash(&self) -> Result<String, Error> {
        let digits = Sha256::digest(self.configuration()?)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        Ok(digits[..HASH_DIGITS].to_owned())
    }

    /// The hash of who may enter its system, and what they may do there.
    ///
    /// # Errors
    /// [`Error::Spec`] when the public keys cannot be read.
    pub fn access(&self) -> Result<String, Error> {
        self.generated(|keyring| dormouse_generator::access(&self.context.spec, keyring, self.name))
    }

    /// What the generator makes of the public keys.
    ///
    /// # Errors
    /// [`Error::Spec`] when they cannot be read.
    pub fn generated<T>(&self, make: impl FnOnce(&Keyring) -> Result<T, Vec<Problem>>) -> Result<T, Error> {
        let read = |path: &str| std::fs::read_to_string(self.context.generated.join(path)).ok();
        let reasons = |problems: Vec<Problem>| {
            let reasons: Vec<&str> = problems.iter().map(Problem::reason).collect();
            Error::Spec(reasons.join("; "))
        };
        make(&Keyring::published(&self.context.spec, read)).map_err(reasons)
    }

    /// Its own baked images, the newest first.
    ///
    /// # Errors
    /// [`Failure::Call`].
    pub async fn baked(&self) -> Result<Vec<Image>, Error> {
        Ok(self.api.own_images(&self.tags()).await?)
    }

    /// Its launch template: the one of the configuration that is known here, else the newest. An older configuration
    /// lets a host do less than the spec says, never more than root there does.
    ///
    /// # Errors
    /// [`Failure::NoTemplate`] or [`Failure::Call`].
    pub async fn template(&self) -> Result<Template, Error> {
        let (templates, hash) = (self.api.templates(&self.tags()).await?, self.configuration_hash()?);
        let present = templates.iter().find(|template| has_configuration(&template.tags, &hash));
        let found = present.or(templates.first()).cloned();
        Ok(found.ok_or_else(|| Failure::NoTemplate { archiver: self.name.to_owned() })?)
    }

    /// What its launch template has to say.
    ///
    /// # Errors
    /// What is missing for it.
    pub async fn settings(&self) -> Result<Settings, Error> {
        let mut settings = self.settings_of(&self.image().await?, self.user_data()?).await?;
        settings.tags.insert(CONFIGURATION.to_owned(), self.configuration_hash()?);
        Ok(settings)
    }

    /// What an instance of an image is like.
    ///
    /// # Errors
    /// What is missing for it.
    pub async fn settings_of(&self, image: &Image, user_data: Vec<u8>) -> Result<Settings, Error> {
        let (security_groups, subnet) = tokio::try_join!(self.groups(), self.subnet())?;
        Ok(Settings {
            image: image.id.clone(),
            root_device: image.root_device.clone().unwrap_or_else(|| "/dev/xvda".to_owned()),
            instance_type: self.ec2.instance_type.clone(),
            zone: self.ec2.availability_zone.clone(),
            subnet,
            security_groups,
            user_data,
            tags: self.tags_with_name(),
        })
    }

    /// The spec's subnet, else the default one of its zone: what hosts launch names it, so that no change of a default
    /// moves the archiver.
    async fn subnet(&self) -> Result<String, Error> {
        if let Some(subnet) = &self.ec2.subnet_id {
            return Ok(subnet.clone());
        }
        let (archiver, zone) = (self.name.to_owned(), self.ec2.availability_zone.clone());
        let found = self.api.default_subnet(&zone).await?;
        Ok(found.ok_or(Failure::NoSubnet { archiver, zone })?)
    }

    /// The image to launch: the one that the spec names, the baked one, or the newest public one.
    ///
    /// # Errors
    /// [`Failure::NoImage`] or [`Failure::Call`].
    pub async fn image(&self) -> Result<Image, Error> {
        let missing = |what: String, help| Failure::NoImage { archiver: self.name.to_owned(), what, help };
        if self.ec2.image.bake {
            let hash = self.configuration_hash()?;
            let images = self.baked().await?;
            let present = |image: &Image| image.available && has_configuration(&image.tags, &hash);
            let found = images.into_iter().find(present);
            let help = format!("bake it: `dormouse up {}`", self.name);
            return Ok(found.ok_or_else(|| missing(format!("of its configuration ({hash})"), help))?);
        }
        self.base_image().await
    }

    /// The image that the spec names, or the newest public one of its release.
    ///
    /// # Errors
    /// [`Failure::NoImage`] or [`Failure::Call`].
    pub async fn base_image(&self) -> Result<Image, Error> {
        let missing = |what: String| {
            let help = "name another `image` in the spec".to_owned();
            Failure::NoImage { archiver: self.name.to_owned(), what, help }
        };
        if let Some(id) = &self.ec2.image.id {
            let found = self.api.image(id).await?;
            return Ok(found.ok_or_else(|| missing(format!("{id} in {}", self.ec2.region)))?);
        }
        let release = self.ec2.image.nixos.as_deref().unwrap_or_default();
        let architecture = self.api.instance_type(&self.ec2.instance_type).await?.architecture;
        let found = self.api.nixos_images(release, &architecture).await?.into_iter().next();
        Ok(found.ok_or_else(|| {
            missing(format!("nixos/{release}*, {architecture}, public in {}", self.ec2.region))
        })?)
    }

    /// The security groups: the spec's, else the one that `up` made.
    ///
    /// # Errors
    /// [`Failure::NoGroup`] or [`Failure::Call`].
    pub async fn groups(&self) -> Result<Vec<String>, Error> {
        if !self.ec2.security_group_ids.is_empty() {
            return Ok(self.ec2.security_group_ids.clone());
        }
        let groups = self.api.groups(&self.tags()).await?;
        let groups: Vec<String> = groups.into_iter().map(|group| group.id).collect();
        if groups.is_empty() {
            Err(Failure::NoGroup { archiver: self.name.to_owned() }.into())
        } else {
            Ok(groups)
        }
    }

    /// A launch, from spare capacity if the spec says so.
    #[must_use]
    pub fn launch(&self, of: Of, client_token: String) -> Launch {
        Launch { of, spot: self.ec2.market == Market::Spot, client_token }
    }

    /// Its user data, which holds its host key: only the administrator has it.
    ///
    /// # Errors
    /// [`Error::MissingFile`].
    pub fn user_data(&self) -> Result<Vec<u8>, Error> {
        let path = self.context.secret(&layout::user_data(self.name));
        let read = std::fs::read(&path);
        read.map_err(|source| Error::MissingFile { what: "the archiver's user data", path, source })
    }

    /// Says on stderr what is waited for.
    pub fn note(&self, since: Instant, text: &str) {
        if !self.context.json {
            log::note(&format!("{}: {text} [{} s]", self.name, since.elapsed().as_secs()));
        }
    }
}
