//! Who hears of a host's runs.

use super::text;
use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::{Honeycomb, Notify, Ping, Prometheus, Report};

/// The longest time that a trigger of Honeycomb can look back (Honeycomb API, "Triggers").
const HONEYCOMB_LONGEST: u64 = 86_400;

pub(super) fn check(report: &Report, path: &JsonPath, problems: &mut Vec<Problem>) {
    if report.alert_after.as_secs() < 60 {
        let reason = format!("{} is shorter than any run", report.alert_after);
        problems.push(Problem::new(path.key("alert_after"), reason, "write 1m or more"));
    }
    if let Some(it) = &report.honeycomb {
        honeycomb(it, report, path, problems);
    }
    if let Some(it) = &report.otlp {
        let path = path.key("otlp");
        problems.extend(url(&it.endpoint, &path.key("endpoint"), "the receiver"));
        problems.extend(secret(it.headers_file.as_deref(), &path.key("headers_file"), "the headers' file"));
    }
    if let Some(it) = &report.ping {
        ping(it, &path.key("ping"), problems);
    }
    if let Some(it) = &report.webhook {
        let path = path.key("webhook");
        problems.extend(secret(Some(&it.url_file), &path.key("url_file"), "the URL's file"));
        problems.extend(secret(it.headers_file.as_deref(), &path.key("headers_file"), "the headers' file"));
    }
    if let Some(it) = &report.prometheus {
        prometheus(it, &path.key("prometheus"), problems);
    }
    problems.extend(command(&report.command, &path.key("command")));
    if let Some(it) = &report.notify {
        notify(it, &path.key("notify"), problems);
    }
}

fn honeycomb(it: &Honeycomb, report: &Report, path: &JsonPath, problems: &mut Vec<Problem>) {
    let at = path.key("honeycomb");
    problems.extend(text::line(&it.dataset, &at.key("dataset"), "the Honeycomb dataset"));
    problems.extend(secret(Some(&it.api_key_file), &at.key("api_key_file"), "the API key's file"));
    if let Some(host) = &it.api_host {
        problems.extend(url(host, &at.key("api_host"), "Honeycomb's API"));
    }
    for (index, recipient) in it.recipients.iter().enumerate() {
        problems.extend(text::line(recipient, &at.key("recipients").index(index), "the recipient"));
    }
    if !it.recipients.is_empty() && report.alert_after.as_secs() > HONEYCOMB_LONGEST {
        let reason = format!("a trigger of Honeycomb looks back one day at most, not {}", report.alert_after);
        let fix = "write 24h or less, or use another alarm and remove the recipients";
        problems.push(Problem::new(path.key("alert_after"), reason, fix).touching(at.key("recipients")));
    }
}

fn ping(it: &Ping, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(secret(Some(&it.url_file), &path.key("url_file"), "the URL's file"));
    if let Some(it) = &it.healthchecks {
        let path = path.key("healthchecks");
        problems.extend(secret(Some(&it.api_key_file), &path.key("api_key_file"), "the API key's file"));
        if let Some(api) = &it.api_url {
            problems.extend(url(api, &path.key("api_url"), "the management API"));
        }
    }
}

fn prometheus(it: &Prometheus, path: &JsonPath, problems: &mut Vec<Problem>) {
    problems.extend(text::absolute(&it.textfile_dir, &path.key("textfile_dir"), "the textfile folder"));
    if let Some(file) = &it.rules_file {
        problems.extend(text::absolute(file, &path.key("rules_file"), "the rules' file"));
    }
}

fn notify(it: &Notify, path: &JsonPath, problems: &mut Vec<Problem>) {
    if let Some(mail) = &it.mail {
        problems.extend(text::line(mail, &path.key("mail"), "the address"));
        // A header of its own begins after a comma or an option after a hyphen.
        if mail.starts_with('-') || mail.contains([' ', ',', ';']) {
            let reason = format!("{mail:?} is not one address");
            problems.push(Problem::new(
                path.key("mail"),
                reason,
                "write an address such as root@example.org",
            ));
        }
    }
    if let Some(ntfy) = &it.ntfy {
        let at = path.key("ntfy").key("url_file");
        problems.extend(secret(Some(&ntfy.url_file), &at, "the URL's file"));
    }
    problems.extend(command(&it.command, &path.key("command")));
    if it.mail.is_none() && it.ntfy.is_none() && it.command.is_empty() {
        let fix = "name mail, ntfy or command, or remove it";
        problems.push(Problem::new(path.clone(), "it tells nobody", fix));
    }
}

fn secret(file: Option<&str>, path: &JsonPath, what: &str) -> Option<Problem> {
    text::secret_path(file?, path, what, false)
}

/// A program and its arguments; only the program must not be empty.
fn command(argv: &[String], path: &JsonPath) -> Option<Problem> {
    let program = argv.first()?;
    text::line(program, &path.index(0), "the program").or_else(|| {
        let index = argv.iter().position(|word| word.contains('\0'))?;
        Some(Problem::new(path.index(index), "no argument can hold a NUL", "remove it"))
    })
}

/// The base URL of a service. What it holds is public, so it has no user and no query.
fn url(value: &str, path: &JsonPath, what: &str) -> Option<Problem> {
    let fix = "write a URL such as https://example.org";
    let refuse = |reason: String| Some(Problem::new(path.clone(), reason, fix));
    let Some((_, rest)) =
        ["https://", "http://"].iter().find_map(|scheme| Some((scheme, value.strip_prefix(scheme)?)))
    else {
        return refuse(format!("{what} is not a URL that begins with https:// or http://"));
    };
    if let Some(c) = rest.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
        return refuse(format!("the URL of {what} cannot hold {c:?}"));
    }
    if rest.split('/').next().is_none_or(str::is_empty) {
        return refuse(format!("the URL of {what} names no host"));
    }
    rest.contains(['@', '?', '#']).then(|| {
        let reason = format!("the URL of {what} has a user, a query or a fragment");
        Problem::new(path.clone(), reason, "write the URL without it; secrets go into files")
    })
}
