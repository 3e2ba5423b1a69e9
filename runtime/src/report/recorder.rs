//! What `dormouse replicate` does so that its runs are known of, whatever becomes of them.

use std::time::{Duration, Instant};

use dormouse_generator::spec::{Provider, Report};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::clock::{Phase, Span};
use super::event::{Begun, Event, Lag, Usage};
use super::run::{Identity, ServiceEnd};
use super::seen::Sight;
use super::sink::ping;
use super::spool::{Folder, Process};
use super::{deliver, sink::Trouble};
use crate::context::Context;
use crate::ec2::price::Prices;
use crate::error::{Error, Exit};
use crate::log;
use crate::provider::session::Closing;
use crate::replicate::Run;
use crate::replicate::outcome::Outcome;
use crate::survey;

/// How long a look at the host's own datasets may take when something is wrong already.
const LOOK: Duration = Duration::from_secs(20);

/// Records the runs of one process.
#[derive(Debug)]
pub struct Recorder<'a> {
    context: &'a Context,
    identity: Identity,
    folder: Option<Folder>,
    ended: Vec<Ended<'a>>,
    pings: Vec<JoinHandle<Result<(), Trouble>>>,
}

/// A replication's run that has ended, but for its archiver, which is still up.
#[derive(Debug)]
struct Ended<'a> {
    archiver: &'a str,
    began: Instant,
    begun: Begun,
    result: Result<Outcome, (Exit, String, String)>,
    lags: Vec<Lag>,
    phases: Vec<Span>,
}

impl<'a> Recorder<'a> {
    /// A recorder; runs of which nobody heard are reported first.
    pub async fn new(context: &'a Context) -> Self {
        let folder = Folder::of(&context.spec.name);
        let folder = folder.map_err(|error| warn(Err(error))).ok();
        if let Some(folder) = &folder {
            warn(reap(context, folder, None).await);
        }
        let identity = Identity::of_this_process();
        Self { context, identity, folder, ended: Vec::new(), pings: Vec::new() }
    }

    /// A replication's run begins.
    pub fn begin(&mut self, run: &Run<'a>, audit: bool) -> Begun {
        let begun = Begun {
            identity: self.identity.clone(),
            spec: self.context.spec.name.clone(),
            host: self.context.host_name.clone(),
            replication: run.name.to_owned(),
            archiver: run.replication.archiver.clone(),
            audit,
            started_at: Timestamp::now().as_second(),
        };
        if let Some(folder) = &self.folder {
            warn(folder.begin(&begun));
        }
        self.context.clock.start();
        if let Some(ping) = report(self.context).and_then(|report| report.ping.clone())
            && !run.is_under_way()
        {
            let begun = begun.clone();
            self.pings.push(tokio::spawn(async move { ping::start(&ping, &begun, deliver::EACH).await }));
        }
        begun
    }

    /// A replication's run ends.
    pub async fn end(&mut self, run: &Run<'a>, begun: Begun, result: &Result<Outcome, Error>) {
        let phases = self.context.clock.stop();
        let seconds = phases.iter().map(|span| span.seconds).sum();
        let began = Instant::now().checked_sub(Duration::from_secs_f64(seconds)).unwrap_or_else(Instant::now);
        let succeeded = matches!(result, Ok(outcome) if outcome.exit() == Exit::Done);
        let lags = if succeeded { Vec::new() } else { lags(run).await };
        let result = match result {
            Ok(outcome) => Ok(outcome.clone()),
            Err(error) => Err((error.exit(), error.to_string(), error.help())),
        };
        let archiver = run.replication.archiver.as_str();
        self.ended.push(Ended { archiver, began, begun, result, lags, phases });
    }

    /// All of them have ended, and the archivers with them: events are written and sent.
    pub async fn finish(self, sights: &[(&'a str, Sight)], closings: &[Closing<'a>]) {
        let Some(folder) = &self.folder else { return };
        for (archiver, sight) in sights {
            warn(folder.see_pool(archiver, sight));
        }
        let mut billed = Vec::new();
        for ended in &self.ended {
            let contacted = ended.phases.iter().any(|span| span.phase == Phase::Wake);
            let mut usage = Usage::default();
            if contacted {
                let sight = sights.iter().find(|(archiver, _)| *archiver == ended.archiver);
                usage.pool = sight.map(|(_, sight)| sight.clone());
                let failing = sight.and_then(|(archiver, sight)| sight.failing(archiver));
                usage.error = failing.map(|error| (error.exit(), error.to_string(), error.help()));
                if let Some(closing) = closings.iter().find(|closing| closing.archiver == ended.archiver) {
                    let is_first = !billed.contains(&ended.archiver);
                    self.add(&mut usage, ended, closing, is_first);
                    billed.push(ended.archiver);
                }
            }
            warn(conclude(self.context, folder, ended.event(usage)));
        }
        for ping in self.pings {
            if let Ok(Err(trouble)) = ping.await {
                deliver::warn(&[("ping", trouble)]);
            }
        }
        flush(self.context, folder).await;
    }

    /// What the archiver's end means for a run; of several that shared it the first gets the bill.
    fn add(&self, usage: &mut Usage, ended: &Ended<'_>, closing: &Closing<'_>, is_first: bool) {
        if let Some(error) = &closing.error {
            usage.error = Some((error.exit(), error.to_string(), error.help()));
        }
        let Some(instance) = &closing.instance else { return };
        usage.instance = Some(instance.id.clone());
        if !is_first {
            return;
        }
        let start_s = closing.began.saturating_duration_since(ended.began).as_secs_f64();
        usage.sleep = Some(Span { phase: Phase::Sleep, start_s, seconds: closing.took.as_secs_f64() });
        usage.instance_seconds = Some(closing.used.as_secs());
        usage.cost_usd = cost(self.context, closing.archiver, closing.used.as_secs());
    }
}

impl Ended<'_> {
    fn event(&self, usage: Usage) -> Event {
        let (phases, now) = (self.phases.clone(), Timestamp::now().as_second());
        match &self.result {
            Ok(outcome) => Event::ended(&self.begun, Ok(outcome), &self.lags, phases, usage, now),
            Err((exit, error, help)) => {
                Event::ended(&self.begun, Err((*exit, error, help)), &self.lags, phases, usage, now)
            }
        }
    }
}

/// Reports runs whose process is gone without an event. `own` is the one that systemd has just
/// seen end.
///
/// # Errors
/// When an event cannot be written.
pub async fn reap(
    context: &Context,
    folder: &Folder,
    own: Option<&(String, ServiceEnd)>,
) -> Result<(), Error> {
    for marker in folder.running() {
        let end = own.filter(|(run, _)| *run == marker.begun.identity.run).map(|(_, end)| end.clone());
        if end.is_none() && marker.process.is_alive() {
            continue;
        }
        let lags = lags_of(context, &marker.begun.replication).await;
        let now = Timestamp::now().as_second();
        let event = Event::killed(&marker.begun, end.unwrap_or_default(), &lags, now);
        conclude(context, folder, event)?;
    }
    Ok(())
}

/// Reports the runs of this process, which a signal has ended. Under systemd `dormouse report`
/// does it, which knows why.
pub async fn interrupted(context: &Context, error: &Error) {
    let Ok(folder) = Folder::of(&context.spec.name) else { return };
    let this = Process::this();
    let ours = |marker: &super::spool::Marker| Some(&marker.process) == this.as_ref();
    let markers: Vec<_> = folder.running().into_iter().filter(ours).collect();
    if markers.is_empty() || markers.iter().any(|marker| marker.begun.identity.is_service) {
        return;
    }
    for marker in markers {
        let now = Timestamp::now().as_second();
        let mut event = Event::killed(&marker.begun, ServiceEnd::default(), &[], now);
        (event.error, event.help) = (Some(error.to_string()), Some(error.help()));
        warn(conclude(context, &folder, event));
    }
    flush(context, &folder).await;
}

/// An event is complete: it goes onto the disk.
///
/// # Errors
/// When it cannot be written.
pub fn conclude(context: &Context, folder: &Folder, mut event: Event) -> Result<(), Error> {
    let before = folder.last_run(&event.replication);
    event.last_success_at = match event.success {
        true => Some(event.started_at + event.seconds as i64),
        false => before.as_ref().and_then(|last| last.last_success_at),
    };
    folder.put(&event, deliver::names(report(context)))?;
    if before.is_none_or(|last| last.event.started_at <= event.started_at) {
        folder.see_run(&event)?;
    }
    Ok(())
}

/// Tells everybody, and says on stderr who could not be told.
pub async fn flush(context: &Context, folder: &Folder) {
    deliver::warn(&deliver::flush(folder, report(context), &context.spec.name, context.exec).await);
}

/// Who hears of this host's runs.
#[must_use]
pub fn report(context: &Context) -> Option<&Report> {
    context.spec.hosts.get(&context.host_name)?.report.as_ref()
}

/// What the archiver lacks, as far as the host knows.
pub async fn lags_of(context: &Context, replication: &str) -> Vec<Lag> {
    let replications = context.spec.hosts.get(&context.host_name).map(|host| &host.replications);
    match replications.and_then(|replications| replications.get_key_value(replication)) {
        Some((name, replication)) => lags(&Run { context, name, replication }).await,
        None => Vec::new(),
    }
}

async fn lags(run: &Run<'_>) -> Vec<Lag> {
    let mut lags = Vec::new();
    // What was found until then is better than nothing.
    let _late = tokio::time::timeout(LOOK, find_lags(run, &mut lags)).await;
    lags
}

async fn find_lags(run: &Run<'_>, lags: &mut Vec<Lag>) -> Result<(), Error> {
    let (exec, replication, cursors) = (run.context.exec, run.replication, run.cursors());
    let tree = survey::tree(exec, replication, &run.mark_property()).await?;
    for some in survey::in_parts(tree.datasets) {
        let datasets = survey::histories(exec, replication, some).await?;
        lags.extend(datasets.values().map(|dataset| Lag {
            dataset: dataset.name.to_string(),
            oldest: survey::oldest_behind(dataset, &cursors),
        }));
    }
    Ok(())
}

/// What so many seconds of an archiver cost, in US dollars, if it costs anything.
fn cost(context: &Context, archiver: &str, seconds: u64) -> Option<f64> {
    let Provider::Ec2(ec2) = &context.archiver(archiver).ok()?.provider else { return None };
    Prices::load().ok()?.instance(ec2, seconds)
}

/// Reporting never fails a run.
fn warn(result: Result<(), Error>) {
    if let Err(error) = result {
        log::warning(&format!("this run cannot be reported: {error}"), Some(&error.help()));
    }
}
