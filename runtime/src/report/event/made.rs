//! How an event is made of what a run came to.

use super::{Begun, DatasetEvent, DatasetVerdict, Event, Lag, Usage, Verdict};
use crate::error::Exit;
use crate::output;
use crate::replicate::outcome::{DatasetOutcome, Outcome, Result as Fate};
use crate::report::clock::{Phase, Span, total};
use crate::report::run::ServiceEnd;

/// How many characters of an error are told; services cut or refuse longer ones.
const MAX_ERROR: usize = 2_000;

impl Event {
    /// A run of which nothing is known but that it began.
    #[must_use]
    pub fn begun(begun: &Begun) -> Self {
        Self {
            version: 1,
            run: begun.identity.run.clone(),
            spec: begun.spec.clone(),
            host: begun.host.clone(),
            replication: begun.replication.clone(),
            archiver: begun.archiver.clone(),
            trigger: begun.identity.trigger.clone(),
            audit: begun.audit,
            started_at: begun.started_at,
            seconds: 0.0,
            verdict: Verdict::Killed,
            success: false,
            exit: None,
            service: ServiceEnd::default(),
            plan_s: None,
            wake_s: None,
            send_s: None,
            sleep_s: None,
            sent: 0,
            skipped: 0,
            failed: 0,
            snapshots: 0,
            bytes: 0,
            instance: None,
            instance_seconds: None,
            cost_usd: None,
            oldest_unreplicated_s: None,
            last_success_at: None,
            error: None,
            help: None,
            warnings: Vec::new(),
            pool: None,
            phases: Vec::new(),
            datasets: Vec::new(),
        }
    }

    /// A run that came to its end.
    #[must_use]
    pub fn ended(
        begun: &Begun,
        result: Result<&Outcome, (Exit, &str, &str)>,
        lags: &[Lag],
        mut phases: Vec<Span>,
        usage: Usage,
        now: i64,
    ) -> Self {
        let mut event = Self::begun(begun);
        let mut exit = match result {
            Ok(outcome) => {
                event.take(outcome);
                outcome.exit()
            }
            Err((exit, error, help)) => {
                (event.error, event.help) = (Some(cut(error)), Some(cut(help)));
                exit
            }
        };
        event.verdict = verdict(exit, event.sent);
        if let Some((worse, error, help)) = usage.error {
            exit = output::worst([exit, worse]);
            event.verdict = verdict(exit, event.sent);
            let both = event.error.map_or_else(|| error.clone(), |first| format!("{first}; then {error}"));
            (event.error, event.help) = (Some(cut(&both)), Some(help));
        }
        event.success = exit == Exit::Done;
        event.exit = Some(exit as u8);
        event.service = ServiceEnd::exited(exit as u8);
        event.lag(lags, now);
        phases.extend(usage.sleep);
        event.seconds = phases.iter().map(|span| span.start_s + span.seconds).fold(0.0, f64::max);
        [event.plan_s, event.wake_s, event.send_s, event.sleep_s] =
            Phase::ALL.map(|phase| total(&phases, phase));
        event.phases = phases;
        (event.instance, event.instance_seconds) = (usage.instance, usage.instance_seconds);
        (event.cost_usd, event.pool) = (usage.cost_usd, usage.pool);
        event
    }

    /// A run that ended without a word, at `now` at the latest; `end` is what systemd saw of it.
    #[must_use]
    pub fn killed(begun: &Begun, end: ServiceEnd, lags: &[Lag], now: i64) -> Self {
        let mut event = Self::begun(begun);
        event.seconds = (now - begun.started_at).max(0) as f64;
        event.exit = end.code();
        event.success = event.exit == Some(0);
        if event.success {
            event.verdict = Verdict::Sent;
        } else {
            event.error = Some(match end.service_result {
                Some(_) => format!("the run ended before it could report: {}", end.words()),
                None => "the run ended before it could report: killed, or the host went down".to_owned(),
            });
            let help = "what was received is kept, and the next run goes on from there; why it ended stands in \
                        the journal, and an archiver on EC2 powers off by itself";
            event.help = Some(help.to_owned());
        }
        event.service = end;
        event.lag(lags, now);
        event
    }

    fn take(&mut self, outcome: &Outcome) {
        self.datasets = outcome.datasets.iter().map(DatasetEvent::from).collect();
        let number = |wanted: &[DatasetVerdict]| {
            self.datasets.iter().filter(|one| wanted.contains(&one.result)).count()
        };
        (self.sent, self.skipped, self.failed) = (
            number(&[DatasetVerdict::Sent]),
            number(&[DatasetVerdict::Skipped]),
            number(&[DatasetVerdict::Failed, DatasetVerdict::Refused]),
        );
        self.bytes = outcome.bytes;
        self.snapshots = outcome.datasets.iter().map(|dataset| dataset.snapshots).sum();
        self.warnings = outcome.warnings.iter().map(|warning| cut(warning)).collect();
        let bad = |fate| outcome.datasets.iter().find(|dataset| dataset.result == fate);
        if let Some(first) = bad(Fate::Refused).or_else(|| bad(Fate::Failed)) {
            let message = first.message.as_deref().unwrap_or("it failed");
            self.error = Some(cut(&format!("{}: {message}", first.dataset)));
            self.help = first.help.as_deref().map(cut);
        }
    }

    fn lag(&mut self, lags: &[Lag], now: i64) {
        for lag in lags {
            let age = lag.oldest.map(|oldest| (now - oldest).max(0));
            match self.datasets.iter_mut().find(|dataset| dataset.dataset == lag.dataset) {
                Some(dataset) => dataset.oldest_unreplicated_s = age,
                None => self.datasets.push(DatasetEvent::untried(lag, age)),
            }
        }
        self.oldest_unreplicated_s =
            self.datasets.iter().filter_map(|dataset| dataset.oldest_unreplicated_s).max();
    }

    /// One line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { host, replication, archiver, .. } = self;
        let bytes = output::human_bytes(self.bytes);
        match self.verdict {
            Verdict::Sent => {
                format!("{host}/{replication}: {} sent to {archiver}, {bytes}", datasets(self.sent))
            }
            Verdict::NothingToDo => format!("{host}/{replication}: nothing to do"),
            _ => {
                let error = self.error.as_deref().unwrap_or("it failed");
                format!("{host}/{replication}: {error}")
            }
        }
    }

    /// What is kept of it once everybody was told: datasets with which something happened.
    #[must_use]
    pub fn to_keep(mut self) -> Self {
        self.datasets.retain(|dataset| dataset.result != DatasetVerdict::Skipped);
        self.phases.clear();
        self
    }
}

fn datasets(number: usize) -> String {
    output::count(number, "dataset")
}

const fn verdict(exit: Exit, sent: usize) -> Verdict {
    match exit {
        Exit::Done if sent == 0 => Verdict::NothingToDo,
        Exit::Done => Verdict::Sent,
        Exit::Failed | Exit::Usage => Verdict::Failed,
        Exit::Partial => Verdict::Partial,
        Exit::Conflict => Verdict::Conflict,
        Exit::Unreachable => Verdict::Unreachable,
        Exit::StillRunning => Verdict::StillRunning,
        Exit::Locked => Verdict::Locked,
    }
}

impl DatasetEvent {
    fn from(outcome: &DatasetOutcome) -> Self {
        Self {
            dataset: outcome.dataset.clone(),
            result: match outcome.result {
                Fate::NoSnapshots | Fate::UpToDate => DatasetVerdict::Skipped,
                Fate::Sent => DatasetVerdict::Sent,
                Fate::Refused => DatasetVerdict::Refused,
                Fate::Failed | Fate::Locked => DatasetVerdict::Failed,
            },
            snapshots: outcome.snapshots,
            bytes: outcome.bytes,
            oldest_unreplicated_s: None,
            unfinished: outcome.unfinished,
            error: outcome.message.as_deref().map(cut),
        }
    }

    fn untried(lag: &Lag, age: Option<i64>) -> Self {
        Self {
            dataset: lag.dataset.clone(),
            result: if age.is_some() { DatasetVerdict::Untried } else { DatasetVerdict::Skipped },
            snapshots: 0,
            bytes: 0,
            oldest_unreplicated_s: age,
            unfinished: false,
            error: None,
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_ERROR) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
