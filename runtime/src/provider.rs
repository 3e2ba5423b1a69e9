//! How an archiver is brought up and where it then is.

use dormouse_generator::spec::Provider;
use dormouse_generator::{layout, reach};

use crate::context::Context;
use crate::error::Error;
use crate::ssh::Endpoint;

/// The endpoint of an archiver that is up.
///
/// # Errors
/// [`Error::CannotWake`] for an EC2 instance, [`Error::MissingFile`] without its key or ours.
pub fn endpoint(context: &Context, name: &str) -> Result<Endpoint, Error> {
    let unknown = || Error::Spec(format!("the spec has no archiver {name:?}"));
    let archiver = context.spec.archivers.get(name).ok_or_else(unknown)?;
    let Provider::Static(machine) = &archiver.provider else {
        return Err(Error::CannotWake { archiver: name.to_owned() });
    };
    Ok(Endpoint {
        archiver: name.to_owned(),
        address: machine.address.clone(),
        port: archiver.ssh_port,
        user: reach::login(archiver, &context.host_name),
        host_key_alias: reach::host_key_alias(&context.spec.name, name),
        known_hosts: context
            .file("the archivers' public keys", context.generated.join(layout::KNOWN_HOSTS))?,
        identity: context.file("this host's identity", context.identity())?,
        program: context.ssh_program.clone(),
    })
}
