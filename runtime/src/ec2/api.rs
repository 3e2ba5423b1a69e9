//! The EC2 calls that Dormouse makes; the only module that knows the AWS SDK.
//!
//! - [`instances`], [`templates`], [`volumes`], [`images`], [`groups`]: the calls, by what they are about
//! - [`dry_run`]: whether calls would be allowed
//! - `convert`: the SDK's values to [`super::model`]
//! - `retry`: what the SDK must not repeat
//!
//! Endpoint, region and credentials come from the SDK's own chain (`AWS_ENDPOINT_URL`, profiles,
//! `AWS_REGION` …), except that the spec's region outranks the environment's.

mod convert;
pub mod dry_run;
pub mod groups;
pub mod images;
pub mod instances;
mod retry;
pub mod templates;
pub mod volumes;

use std::collections::BTreeMap;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use super::problem::{Kind, NO_CREDENTIALS, Problem};

/// How often the SDK tries a call that was throttled or had no answer. Adaptive: it slows all
/// calls down when EC2 throttles one.
const ATTEMPTS: u32 = 6;

/// EC2 in one region.
#[derive(Clone, Debug)]
pub struct Api {
    client: aws_sdk_ec2::Client,
}

impl Api {
    /// EC2 as the environment reaches it.
    pub async fn connect(region: &str) -> Self {
        let retry = RetryConfig::adaptive().with_max_attempts(ATTEMPTS);
        let loader = aws_config::from_env().region(Region::new(region.to_owned())).retry_config(retry);
        let config = aws_sdk_ec2::config::Builder::from(&loader.load().await);
        let config = config.retry_classifier(retry::NoCapacity).build();
        Self { client: aws_sdk_ec2::Client::from_conf(config) }
    }
}

/// A filter by one name and some values, of which one must match.
fn filter(name: &str, values: &[&str]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.iter().map(|value| (*value).to_owned()).collect()))
        .build()
}

/// Filters that find what carries all of these tags.
fn by_tags(tags: &BTreeMap<String, String>) -> Vec<Filter> {
    tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), &[value])).collect()
}

/// Tags for what the call creates, so that nothing exists without them for a moment.
fn tagged(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// A failed call.
fn problem<E, R>(action: &'static str) -> impl Fn(SdkError<E, R>) -> Problem
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    move |error| {
        let lacks_credentials = causes(&error).any(|cause| cause.is::<CredentialsError>());
        let code = lacks_credentials.then_some(NO_CREDENTIALS).or(error.code()).map(str::to_owned);
        let message = error.message().map_or_else(|| chain(&error), str::to_owned);
        Problem { action, code, message }
    }
}

/// Of a call that takes something away: what is not there is gone.
fn gone<T>(answer: Result<T, Problem>) -> Result<(), Problem> {
    match answer {
        Err(problem) if problem.kind() != Kind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

/// An error and its causes, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error, its cause, the cause of that, and so on.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}

/// A call whose answer lacks what it must have.
fn incomplete(action: &'static str, what: &str) -> Problem {
    Problem { action, code: None, message: format!("the answer lacks {what}") }
}
