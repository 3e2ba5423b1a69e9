//! Each sink says to its service what the service's documentation asks for.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use dormouse::exec::Exec;
use dormouse::report::clock::{Phase, Span};
use dormouse::report::event::{Begun, DatasetEvent, DatasetVerdict, Event, Verdict};
use dormouse::report::run::{Identity, ServiceEnd};
use dormouse::report::seen::Sight;
use dormouse::report::sink::{Trouble, command, honeycomb, journald, otlp, ping, prometheus, webhook};
use dormouse_generator::spec::{Honeycomb, Otlp, Ping, Prometheus, Webhook};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use support::Service;

const DEADLINE: Duration = Duration::from_secs(30);
const KEY: &str = "sesame-open";
const RUN: &str = "0123456789abcdef0123456789abcdef";

fn begun() -> Begun {
    Begun {
        identity: Identity { run: RUN.to_owned(), trigger: "systemd".to_owned(), is_service: true },
        spec: "home".to_owned(),
        host: "desktop".to_owned(),
        replication: "safe".to_owned(),
        archiver: "archiver".to_owned(),
        audit: false,
        started_at: 1_790_000_000,
    }
}

/// A run of which every field is told.
fn event() -> Event {
    let dataset = |name: &str, result, age| DatasetEvent {
        dataset: name.to_owned(),
        result,
        snapshots: 1,
        bytes: 4096,
        oldest_unreplicated_s: age,
        unfinished: age.is_some(),
        error: age.map(|_| "it \"broke\"\non two lines".to_owned()),
    };
    let span = |phase, start_s, seconds| Span { phase, start_s, seconds };
    Event {
        seconds: 61.5,
        verdict: Verdict::Partial,
        exit: Some(3),
        service: ServiceEnd::exited(3),
        wake_s: Some(40.0),
        sent: 1,
        failed: 1,
        bytes: 8192,
        instance: Some("i-1".to_owned()),
        instance_seconds: Some(70),
        cost_usd: Some(0.0004),
        oldest_unreplicated_s: Some(900),
        last_success_at: Some(1_789_990_000),
        error: Some("it \"broke\"\non two lines".to_owned()),
        pool: Some(Sight {
            at: 1_790_000_050,
            size: 1 << 39,
            allocated: 1 << 30,
            free: (1 << 39) - (1 << 30),
            health: "ONLINE".to_owned(),
            scan: None,
            errors: None,
            damaged: vec![],
        }),
        phases: vec![
            span(Phase::Plan, 0.0, 1.5),
            span(Phase::Wake, 1.5, 40.0),
            span(Phase::Send, 41.5, 20.0),
        ],
        datasets: vec![
            dataset("tank/safe", DatasetVerdict::Sent, None),
            dataset("tank/mail \"box\\", DatasetVerdict::Failed, Some(900)),
        ],
        ..Event::begun(&begun())
    }
}

fn good() -> Event {
    Event { success: true, exit: Some(0), verdict: Verdict::Sent, error: None, ..event() }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn honeycomb_at(service: &Service, folder: &Path) -> Honeycomb {
    Honeycomb {
        dataset: "zfs replication".to_owned(),
        api_key_file: file(folder, "key", &format!("{KEY}\n")),
        api_host: Some(format!("{}/", service.url)),
        recipients: vec![],
    }
}

#[tokio::test]
async fn honeycomb_gets_a_flat_event_with_its_time_and_its_key() {
    let (service, folder) = (Service::agreeable(), tempfile::tempdir().unwrap());
    honeycomb::send(&honeycomb_at(&service, folder.path()), &event(), DEADLINE).await.unwrap();
    let request = service.next();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/1/events/zfs%20replication"));
    assert_eq!(request.headers["x-honeycomb-team"], KEY);
    let time: jiff::Timestamp = request.headers["x-honeycomb-event-time"].parse().unwrap();
    assert_eq!(time.as_second(), 1_790_000_000);
    let fields = request.json();
    for (name, value) in fields.as_object().unwrap() {
        assert!(value.is_string() || value.is_number() || value.is_boolean(), "{name}: {value}");
    }
    assert_eq!((&fields["success"], &fields["exit"]), (&false.into(), &3.into()));
    assert_eq!((&fields["service_result"], &fields["exit_status"]), (&"exit-code".into(), &"3".into()));
    assert_eq!((&fields["wake_s"], &fields["instance_seconds"]), (&40.0.into(), &70.into()));
    assert!(!request.body.contains(KEY));
}

#[tokio::test]
async fn a_service_that_refuses_is_quoted_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(|_| (401, "unknown API key - check your credentials".to_owned()));
    let trouble =
        honeycomb::send(&honeycomb_at(&service, folder.path()), &event(), DEADLINE).await.unwrap_err();
    let text = trouble.to_string();
    assert!(text.contains("401: unknown API key") && !text.contains(KEY), "{text}");
    assert!(trouble.is_passing() && trouble.help().contains("key"));
    let refused = Trouble::Refused { status: 422, detail: String::new() };
    assert!(!refused.is_passing(), "an event that is wrong is never taken");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named_without_its_url() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1:1/sesame", "http://no host/sesame", "sesame"] {
        let sink = Webhook { url_file: file(folder.path(), "url", url), headers_file: None };
        let text = webhook::send(&sink, &event(), DEADLINE).await.unwrap_err().to_string();
        assert!(text.starts_with("no answer: ") && !text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn a_collector_reads_a_trace_with_a_span_for_each_phase() {
    let (service, folder) = (Service::agreeable(), tempfile::tempdir().unwrap());
    let headers_file =
        Some(file(folder.path(), "headers", "X-Scope-OrgID: home\n\nAuthorization: Bearer x:y\n"));
    otlp::send(&Otlp { endpoint: service.url.clone(), headers_file }, &event(), DEADLINE).await.unwrap();
    let request = service.next();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
    assert_eq!(
        (request.headers["x-scope-orgid"].as_str(), request.headers["authorization"].as_str()),
        ("home", "Bearer x:y")
    );
    assert_eq!(request.headers["content-type"], "application/json");
    // OpenTelemetry's own types read it.
    let request: ExportTraceServiceRequest = serde_json::from_str(&request.body).unwrap();
    let [resource] = request.resource_spans.as_slice() else { panic!("one resource") };
    let [scope] = resource.scope_spans.as_slice() else { panic!("one scope") };
    let (run, phases) = scope.spans.split_first().unwrap();
    assert_eq!(run.trace_id, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(2));
    assert_eq!(run.span_id.len(), 8);
    assert_eq!(run.end_time_unix_nano - run.start_time_unix_nano, 61_500_000_000);
    let status = run.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.contains("broke")), (2, true));
    assert_eq!(phases.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["plan", "wake", "send"]);
    for span in phases {
        assert!(span.trace_id == run.trace_id && span.parent_span_id == run.span_id);
        assert!(span.start_time_unix_nano >= run.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= run.end_time_unix_nano);
    }
    let mut ids: Vec<_> = scope.spans.iter().map(|span| &span.span_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let value = |key: &str| {
        let found = run.attributes.iter().find(|attribute| attribute.key == key).unwrap();
        found.value.clone().unwrap().value.unwrap()
    };
    assert_eq!(value("dormouse.bytes"), Any::IntValue(8192));
    assert_eq!(value("dormouse.replication"), Any::StringValue("safe".to_owned()));
    assert_eq!(value("dormouse.cost_usd"), Any::DoubleValue(0.0004));
}

#[tokio::test]
async fn a_collector_that_takes_only_a_part_has_not_taken_it() {
    let answer = r#"{"partialSuccess":{"rejectedSpans":"4","errorMessage":"too old"}}"#;
    let service = Service::new(move |_| (200, answer.to_owned()));
    let sink = Otlp { endpoint: service.url.clone(), headers_file: None };
    let text = otlp::send(&sink, &event(), DEADLINE).await.unwrap_err().to_string();
    assert!(text.contains("too old"), "{text}");
    let service = Service::new(|_| (200, r#"{"partialSuccess":{}}"#.to_owned()));
    let sink = Otlp { endpoint: service.url.clone(), headers_file: None };
    otlp::send(&sink, &event(), DEADLINE).await.unwrap();
}

#[tokio::test]
async fn pings_say_start_success_and_failure_of_one_run() {
    let (service, folder) = (Service::agreeable(), tempfile::tempdir().unwrap());
    let url = format!("{}/{KEY}/{{host}}-{{replication}}?create=1", service.url);
    let sink = Ping { url_file: file(folder.path(), "url", &url), healthchecks: None };
    ping::start(&sink, &begun(), DEADLINE).await.unwrap();
    ping::send(&sink, &good(), DEADLINE).await.unwrap();
    ping::send(&sink, &event(), DEADLINE).await.unwrap();
    let locked = Event { verdict: Verdict::Locked, exit: Some(7), ..event() };
    ping::send(&sink, &locked, DEADLINE).await.unwrap();
    let requests = service.requests();
    let end = "?create=1&rid=01234567-89ab-cdef-0123-456789abcdef";
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    let path = format!("/{KEY}/desktop-safe");
    assert_eq!(paths, [format!("{path}/start{end}"), format!("{path}{end}"), format!("{path}/fail{end}")]);
    assert!(requests[2].body.contains("broke"), "{:?}", requests[2]);
}

#[tokio::test]
async fn a_webhook_gets_the_event_as_it_is() {
    let (service, folder) = (Service::agreeable(), tempfile::tempdir().unwrap());
    let sink = Webhook {
        url_file: file(folder.path(), "url", &format!("{}/hook?token={KEY}", service.url)),
        headers_file: Some(file(folder.path(), "headers", "X-Token: t")),
    };
    webhook::send(&sink, &event(), DEADLINE).await.unwrap();
    let request = service.next();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook?token=sesame-open"));
    assert_eq!(request.headers["x-token"], "t");
    assert_eq!(serde_json::from_value::<Event>(request.json()).unwrap(), event());
}

#[tokio::test]
async fn a_redirection_gets_neither_headers_nor_the_event() {
    for status in [301, 302, 303, 307, 308] {
        let thief = Service::agreeable();
        let (url, folder) = (format!("{}/loot", thief.url), tempfile::tempdir().unwrap());
        let service = Service::new(move |_| (status, url.clone()));
        let sink = Webhook {
            url_file: file(folder.path(), "url", &service.url),
            headers_file: Some(file(folder.path(), "headers", "X-Api-Key: sesame-open")),
        };
        let told = webhook::send(&sink, &event(), DEADLINE).await.unwrap_err();
        assert!(matches!(told, Trouble::Redirected { status: seen } if seen == status), "{told}");
        assert_eq!(service.next().headers["x-api-key"], KEY);
        assert!(thief.requests().is_empty(), "{status}");
    }
}

/// Prometheus' text format, strictly: HELP and TYPE before a family, each sample once.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut family) = (BTreeMap::new(), String::new());
    let mut lines = text.lines();
    assert!(text.ends_with('\n'));
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
            assert_eq!(lines.next(), Some(format!("# TYPE {family} gauge").as_str()));
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert_eq!(sample.split('{').next(), Some(family.as_str()));
        assert!(sample.ends_with("\"}"), "{line}");
        assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line}");
    }
    samples
}

#[test]
fn the_node_exporter_gets_a_file_that_is_whole_and_readable() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Prometheus { textfile_dir: folder.path().to_str().unwrap().to_owned(), rules_file: None };
    for event in [good(), event()] {
        prometheus::write(&sink, &event, 3600).unwrap();
    }
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["dormouse_home_safe.prom"]);
    let path = folder.path().join("dormouse_home_safe.prom");
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644, "the node exporter runs as another user");
    let samples = samples(&std::fs::read_to_string(path).unwrap());
    let labels = r#"spec="home",host="desktop",replication="safe",archiver="archiver""#;
    let value = |name: &str| samples[&format!("dormouse_{name}{{{labels}}}")];
    assert_eq!((value("last_run_success"), value("last_run_exit_code")), (0.0, 3.0));
    assert_eq!(value("last_success_timestamp_seconds"), 1_789_990_000.0);
    assert_eq!(value("pool_size_bytes"), 549_755_813_888.0);
    let dataset = r#",dataset="tank/mail \"box\\""#;
    assert_eq!(
        samples[&format!("dormouse_oldest_unreplicated_snapshot_timestamp_seconds{{{labels}{dataset}}}")],
        1_790_000_061.5 - 900.0
    );
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let sink = Prometheus { textfile_dir: "/nowhere".to_owned(), rules_file: None };
    let trouble = prometheus::write(&sink, &event(), 3600).unwrap_err();
    assert!(trouble.to_string().contains("/nowhere/dormouse_home_safe.prom"), "{trouble}");
}

/// The journal's native protocol: `NAME=value` on a line, or `NAME`, the length in 64 bits little
/// endian, and the value.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !datagram.is_empty() {
        let end = datagram.iter().position(|byte| *byte == b'\n').unwrap();
        let line = &datagram[..end];
        datagram = &datagram[end + 1..];
        let (name, value) = match line.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&line[..equals], &line[equals + 1..]),
            None => {
                let length = u64::from_le_bytes(datagram[..8].try_into().unwrap()) as usize;
                let value = &datagram[8..8 + length];
                assert_eq!(datagram[8 + length], b'\n');
                datagram = &datagram[9 + length..];
                (line, value)
            }
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let is_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        assert!(name.iter().all(is_name) && name[0] != b'_', "{}", text(name));
        assert!(fields.insert(text(name), text(value)).is_none());
    }
    fields
}

#[test]
fn the_journal_gets_an_entry_with_fields() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let journal = UnixDatagram::bind(&socket).unwrap();
    for event in [good(), event()] {
        journald::send(&event, &socket).unwrap();
    }
    let read = || {
        let mut buffer = vec![0; 1 << 20];
        let length = journal.recv(&mut buffer).unwrap();
        fields(&buffer[..length])
    };
    let (good, bad) = (read(), read());
    assert_eq!((good["PRIORITY"].as_str(), bad["PRIORITY"].as_str()), ("6", "3"));
    assert_eq!(bad["MESSAGE"], "desktop/safe: it \"broke\"\non two lines");
    assert_eq!((bad["DORMOUSE_REPLICATION"].as_str(), bad["DORMOUSE_EXIT"].as_str()), ("safe", "3"));
    assert_eq!(serde_json::from_str::<Event>(&bad["DORMOUSE_EVENT"]).unwrap(), event());
    assert_eq!(bad["MESSAGE_ID"].len(), 32);
}

#[tokio::test]
async fn a_command_gets_the_event_on_its_stdin_and_its_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let got = folder.path().join("got");
    let exec = Exec { verbose: false };
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let tee = argv(&["tee", got.to_str().unwrap()]);
    command::run(&tee, &event(), exec, DEADLINE).await.unwrap();
    let text = std::fs::read_to_string(&got).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event());
    let trouble = command::run(&argv(&["false"]), &event(), exec, DEADLINE).await.unwrap_err();
    assert!(trouble.to_string().contains("exit code 1"), "{trouble}");
    let slow = command::run(&argv(&["sleep", "1000"]), &event(), exec, Duration::from_millis(10)).await;
    assert!(slow.unwrap_err().to_string().contains("killed"));
}
