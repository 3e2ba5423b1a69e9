//! The address that this computer has in the eyes of AWS.

use std::net::IpAddr;
use std::time::Duration;

use super::failure::Failure;
use crate::error::Error;

/// AWS' own service for the question; `DORMOUSE_CHECKIP_URL` names another one.
const SERVICE: &str = "https://checkip.amazonaws.com/";

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The caller's address as a range that holds nothing else.
///
/// # Errors
/// [`Failure::NoCaller`].
pub async fn range() -> Result<String, Error> {
    let url = std::env::var("DORMOUSE_CHECKIP_URL").unwrap_or_else(|_| SERVICE.to_owned());
    let asked = url.clone();
    let answer = tokio::task::spawn_blocking(move || ask(&asked)).await;
    let text = answer.map_err(std::io::Error::other)?.map_err(|error| failure(&url, error.to_string()))?;
    let address: IpAddr =
        text.trim().parse().map_err(|_| failure(&url, format!("{text:?} is no address")))?;
    Ok(format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }))
}

fn ask(url: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    agent.get(url).call()?.body_mut().read_to_string()
}

fn failure(url: &str, detail: String) -> Error {
    Failure::NoCaller { url: url.to_owned(), detail }.into()
}
