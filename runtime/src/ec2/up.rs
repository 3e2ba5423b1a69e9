//! Set-up: what is missing is made, what is there is adopted.

use std::time::{Duration, Instant};

use dormouse_generator::spec::VolumeType;

use super::api::dry_run::Permission;
use super::failure::Failure;
use super::machine::{CONFIGURATION, Machine, has_configuration, lets_in};
use super::model::{Image, Modification, NewVolume, Settings, Template, Volume};
use super::poll::Poll;
use super::price::Prices;
use super::problem::Kind;
use super::{bake, migrate};
use crate::error::Error;
use crate::provider::{self, Identity};

/// How many baked images are kept: the present one, and the one to go back to.
const KEPT: usize = 2;

/// How long a new volume may need until it is available.
const AVAILABLE: Duration = Duration::from_secs(300);

/// How long a bigger volume may need until its size can be used.
const GROWN: Duration = Duration::from_secs(6 * 3600);

/// One thing to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A security group that lets ssh in from these ranges.
    Group(Vec<String>),
    /// The group lets ssh in from these ranges too.
    Open(String, Vec<String>),
    /// The volume.
    Volume,
    /// A bigger size for the volume.
    Grow(Volume),
    /// A smaller volume in place of this one.
    Migrate(Volume),
    /// The image of a configuration.
    Image(String),
    /// The launch template.
    Template,
    /// The pool on the volume if that is blank, the datasets above the targets, and the rights.
    Pool,
    /// Launch templates and images that nobody needs any more.
    Remove(Vec<Template>, Vec<Image>),
}

/// What is missing; with `migrate`, a volume that is too big is replaced.
///
/// # Errors
/// What cannot be mended by making something: [`Failure::VolumeShrinks`], [`Failure::VolumeZone`],
/// or a refusal of EC2's.
pub async fn plan(machine: &Machine<'_>, migrate: bool) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    steps.extend(opening(machine).await?);
    let shrinking = match machine.volumes().await?.into_iter().next() {
        None => {
            steps.push(Step::Volume);
            None
        }
        Some(volume) if migrate && volume.size_gib > wanted_size(machine) => Some(Step::Migrate(volume)),
        Some(volume) => {
            steps.extend(growth(machine, volume)?);
            None
        }
    };
    let images = machine.baked().await?;
    if machine.ec2.image.bake {
        let hash = machine.configuration_hash()?;
        if !images.iter().any(|image| image.available && has_configuration(&image.tags, &hash)) {
            steps.push(Step::Image(hash));
        }
    }
    let templates = machine.api.templates(&machine.tags()).await?;
    let present = present_template(machine, &steps).await?;
    if !templates.iter().any(|template| Some(&template.name) == present.as_ref()) {
        steps.push(Step::Template);
    }
    steps.extend(shrinking);
    steps.push(Step::Pool);
    steps.extend(removal(machine, images, templates, present.as_deref())?);
    Ok(steps)
}

/// What nobody needs once all other steps are done.
fn removal(
    machine: &Machine<'_>,
    mut images: Vec<Image>,
    mut templates: Vec<Template>,
    present: Option<&str>,
) -> Result<Option<Step>, Error> {
    let hash = machine.configuration_hash()?;
    images.retain(|image| !has_configuration(&image.tags, &hash));
    let images = obsolete(&images, &machine.access()?, KEPT - 1);
    templates.retain(|template| Some(template.name.as_str()) != present);
    Ok((!(templates.is_empty() && images.is_empty())).then_some(Step::Remove(templates, images)))
}

/// The name of the launch template as it has to be; none before everything is there that it names.
async fn present_template(machine: &Machine<'_>, steps: &[Step]) -> Result<Option<String>, Error> {
    if steps.iter().any(|step| matches!(step, Step::Image(_) | Step::Group(_))) {
        return Ok(None);
    }
    template_name(&machine.settings().await?).map(Some)
}

/// A template is never changed: other settings make another.
fn template_name(settings: &Settings) -> Result<String, Error> {
    let digest = settings.digest().map_err(std::io::Error::from)?;
    Ok(format!("dormouse-{digest}"))
}

/// Of other images than the present one, those that are too old to go back to, or let in whom the spec does not: those
/// with other keys or another gate.
fn obsolete(images: &[Image], access: &str, kept: usize) -> Vec<Image> {
    let (present, other): (Vec<&Image>, Vec<&Image>) =
        images.iter().filter(|image| image.available).partition(|image| lets_in(image, access));
    present.into_iter().skip(kept).chain(other).cloned().collect()
}

/// Asks EC2 whether it would allow what the steps begin with, so that a policy that is too old changes nothing.
///
/// # Errors
/// [`Failure::NotAllowed`], or that EC2 does not answer.
pub async fn ask(machine: &Machine<'_>, steps: &[Step]) -> Result<(), Error> {
    let needed = steps.iter().filter_map(|step| match step {
        Step::Group(_) => Some(Permission::CreateGroup),
        Step::Volume => Some(Permission::CreateVolume(machine.ec2.availability_zone.clone())),
        Step::Template => Some(Permission::CreateTemplate),
        _ => None,
    });
    let mut actions = Vec::new();
    for permission in needed {
        match machine.api.may(&permission, &machine.tags()).await {
            Err(problem) if problem.kind() == Kind::Unauthorized => actions.push(permission.action()),
            answer => answer?,
        }
    }
    match actions.is_empty() {
        true => Ok(()),
        false => Err(Failure::NotAllowed { archiver: machine.name.to_owned(), actions }.into()),
    }
}

/// What is missing of the security group. Ranges that it lets in besides stay: they may be those
/// of other hosts.
async fn opening(machine: &Machine<'_>) -> Result<Option<Step>, Error> {
    if !machine.ec2.security_group_ids.is_empty() {
        return Ok(None);
    }
    let (groups, mut ranges) = (machine.api.groups(&machine.tags()).await?, machine.ssh_from().await?);
    let Some(group) = groups.into_iter().next() else { return Ok(Some(Step::Group(ranges))) };
    ranges.retain(|range| !group.lets_in.contains(&(machine.archiver.ssh_port, range.clone())));
    Ok((!ranges.is_empty()).then_some(Step::Open(group.id, ranges)))
}

fn growth(machine: &Machine<'_>, volume: Volume) -> Result<Option<Step>, Error> {
    let wanted = wanted_size(machine);
    if volume.zone != machine.ec2.availability_zone {
        let (zone, wanted) = (volume.zone, machine.ec2.availability_zone.clone());
        return Err(Failure::VolumeZone { volume: volume.id, zone, wanted }.into());
    }
    if volume.size_gib > wanted {
        let (archiver, size) = (machine.name.to_owned(), volume.size_gib);
        return Err(Failure::VolumeShrinks { archiver, volume: volume.id, size, wanted }.into());
    }
    Ok((volume.size_gib < wanted).then_some(Step::Grow(volume)))
}

/// A step in words.
#[must_use]
pub fn words(machine: &Machine<'_>, step: &Step) -> String {
    let pool = &machine.archiver.pool.name;
    match step {
        Step::Group(ranges) => format!("make a security group that lets ssh in from {}", ranges.join(", ")),
        Step::Open(group, ranges) => format!("let ssh in from {} too, in {group}", ranges.join(", ")),
        Step::Volume => format!(
            "make an {} volume of {} GiB in {}",
            kind(machine),
            wanted_size(machine),
            machine.ec2.availability_zone
        ),
        Step::Grow(volume) => {
            format!("grow {} from {} to {} GiB", volume.id, volume.size_gib, wanted_size(machine))
        }
        Step::Migrate(volume) => format!(
            "make an {} volume of {} GiB, copy everything on {} ({} GiB) to it, use it from then on; {} is kept",
            kind(machine),
            wanted_size(machine),
            volume.id,
            volume.size_gib,
            volume.id
        ),
        Step::Image(hash) => format!("bake an image for configuration {hash}, on an instance that then ends"),
        Step::Template => {
            "store the launch in a launch template, from which hosts start the archiver".to_owned()
        }
        Step::Pool => format!(
            "wake it, make pool {pool} if the volume is blank, the datasets above the targets; let it sleep"
        ),
        Step::Remove(templates, images) => {
            let ids: Vec<&str> = templates
                .iter()
                .map(|template| template.id.as_str())
                .chain(images.iter().map(|image| image.id.as_str()))
                .collect();
            format!(
                "remove {}, from which hosts with an older Dormouse start the archiver; update these hosts first: {}",
                ids.join(", "),
                machine.targets().into_keys().collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// The cost in words.
///
/// # Errors
/// None in a program that was tested.
pub fn cost(machine: &Machine<'_>) -> Result<String, Error> {
    let prices = Prices::load().map_err(std::io::Error::from)?;
    Ok(prices.cost(machine.archiver, machine.ec2, kind(machine)).words(&prices))
}

/// Makes what is missing. Each step can be repeated: it looks before it makes.
///
/// # Errors
/// The first step that fails; what was made stays, and the next `up` goes on from there.
pub async fn run(machine: &Machine<'_>, steps: &[Step]) -> Result<(), Error> {
    let since = Instant::now();
    for step in steps {
        machine.note(since, &words(machine, step));
        match step {
            Step::Group(ranges) => {
                let (title, subnet) = (machine.title(), machine.ec2.subnet_id.as_deref());
                let group = machine.api.create_group(&title, subnet, &machine.tags_with_name()).await?;
                open(machine, &group, ranges).await?;
            }
            Step::Open(group, ranges) => open(machine, group, ranges).await?,
            Step::Volume => make_volume(machine).await.map(|_| ())?,
            Step::Migrate(volume) => migrate::migrate(machine, volume).await?,
            Step::Grow(volume) => grow(machine, volume).await?,
            Step::Image(hash) => bake::bake(machine, hash).await?,
            Step::Template => make_template(machine).await?,
            Step::Pool => prepare_pool(machine).await?,
            Step::Remove(templates, images) => remove(machine, templates, images).await?,
        }
    }
    machine.note(since, "set up");
    Ok(())
}

async fn open(machine: &Machine<'_>, group: &str, ranges: &[String]) -> Result<(), Error> {
    for range in ranges {
        machine.api.open_port(group, machine.archiver.ssh_port, range).await?;
    }
    Ok(())
}

async fn make_template(machine: &Machine<'_>) -> Result<(), Error> {
    let settings = machine.settings().await?;
    let mut tags = machine.tags_with_name();
    tags.insert(CONFIGURATION.to_owned(), machine.configuration_hash()?);
    machine.api.create_template(&template_name(&settings)?, &settings, &tags).await?;
    Ok(())
}

async fn remove(machine: &Machine<'_>, templates: &[Template], images: &[Image]) -> Result<(), Error> {
    for template in templates {
        machine.api.delete_template(&template.id).await?;
    }
    for image in images {
        machine.api.delete_image(image).await?;
    }
    Ok(())
}

/// The client token is on the disk first: a set-up that was killed before it heard EC2's answer
/// gets the same volume when it is repeated.
///
/// # Errors
/// [`Failure::Stuck`], or a refusal of EC2's.
pub async fn make_volume(machine: &Machine<'_>) -> Result<Volume, Error> {
    let size_gib = wanted_size(machine);
    let new = NewVolume {
        zone: machine.ec2.availability_zone.clone(),
        kind: kind(machine).to_owned(),
        size_gib,
        encrypted: machine.archiver.volume.as_ref().is_none_or(|volume| volume.encrypted),
        client_token: machine.token("volume")?.get()?,
        tags: machine.tags_with_name(),
    };
    let id = machine.api.create_volume(&new).await?;
    let mut poll = Poll::new(Duration::from_secs(1), Duration::from_secs(5), AVAILABLE);
    loop {
        match machine.api.volume(&id).await {
            Ok(volume) if volume.available => {
                // Until now a repeated set-up might not have seen it, and made another.
                machine.token("volume")?.forget()?;
                return Ok(volume);
            }
            Ok(_) => {}
            Err(problem) if problem.kind() == Kind::NotFound => {}
            Err(problem) => return Err(problem.into()),
        }
        if !poll.again().await {
            return Err(
                Failure::Stuck { what: id, state: "is not available", seconds: AVAILABLE.as_secs() }.into()
            );
        }
    }
}

/// The new size can be used from `optimizing` on (EBS user guide, "Monitor the progress of volume
/// modifications").
async fn grow(machine: &Machine<'_>, volume: &Volume) -> Result<(), Error> {
    machine.api.grow(&volume.id, wanted_size(machine)).await?;
    let mut poll = Poll::new(Duration::from_secs(2), Duration::from_secs(15), GROWN);
    loop {
        match machine.api.modification(&volume.id).await? {
            Some(Modification::Optimizing | Modification::Completed) => return Ok(()),
            Some(Modification::Failed(reason)) => {
                return Err(Failure::NotGrown { volume: volume.id.clone(), reason }.into());
            }
            Some(Modification::Modifying) | None => {}
        }
        if !poll.again().await {
            let (what, seconds) = (volume.id.clone(), GROWN.as_secs());
            return Err(Failure::Stuck { what, state: "has not grown", seconds }.into());
        }
    }
}

async fn prepare_pool(machine: &Machine<'_>) -> Result<(), Error> {
    let volume = machine.volume().await?;
    let session = provider::connect(machine.context, machine.name, Identity::Admin, false).await?;
    let result = super::pool::prepare(machine, &session.archiver, &volume).await;
    let closed = session.close().await;
    result.and(closed)
}

fn wanted_size(machine: &Machine<'_>) -> u32 {
    machine.archiver.volume.as_ref().map_or(0, |volume| volume.size_gib)
}

fn kind(machine: &Machine<'_>) -> &'static str {
    match machine.archiver.volume.as_ref().map(|volume| volume.kind).unwrap_or_default() {
        VolumeType::Sc1 => "sc1",
        VolumeType::St1 => "st1",
        VolumeType::Gp3 => "gp3",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ec2::machine::ACCESS;

    fn image(id: &str, access: Option<&str>, available: bool) -> Image {
        let tags = access.map(|access| (ACCESS.to_owned(), access.to_owned())).into_iter().collect();
        let (name, created) = (id.to_owned(), String::new());
        Image {
            id: id.to_owned(),
            name,
            available,
            failed: None,
            created,
            snapshots: vec![],
            root_device: None,
            tags,
        }
    }

    #[test]
    fn an_image_to_go_back_to_is_kept_unless_it_lets_in_others() {
        let images = [
            image("other", Some("other"), true),
            image("newest", Some("same"), true),
            image("older", Some("same"), true),
            image("first-version", None, true),
            image("under-way", None, false),
        ];
        let gone: Vec<String> = obsolete(&images, "same", 1).into_iter().map(|image| image.id).collect();
        assert_eq!(gone, ["older", "other", "first-version"]);
    }

    #[test]
    fn a_template_has_the_age_of_its_making() {
        let template = Template { id: String::new(), name: String::new(), created: 1000, tags: [].into() };
        let now = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1060);
        assert_eq!(template.age(now), Duration::from_secs(60));
        assert_eq!(template.age(std::time::SystemTime::UNIX_EPOCH), Duration::ZERO);
    }
}
