//! From what the archiver has, and what is on this host already, to what is brought back.

use std::collections::BTreeMap;

use dormouse_generator::name::DatasetName;
use dormouse_generator::spec::Raw;

use super::choice::{Wanted, backdated};
use super::refusal::Refusal;
use crate::zfs::listing::Datasets;
use crate::zfs::plan::{Base, Stream, common, streams};
use crate::zfs::token::{Stale, Token};
use crate::zfs::{Dataset, Guid, Kind, Snapshot, conflict, form};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The archiver.
    pub archiver: String,
    /// The dataset of the host.
    pub dataset: DatasetName,
    /// Where its copy is.
    pub copy: DatasetName,
    /// Where all copies of its replication are.
    pub root: DatasetName,
    /// What it will be called.
    pub to: DatasetName,
    /// Which snapshot.
    pub wanted: Wanted,
    /// Whether the older ones stay away.
    pub only: bool,
    /// Whether encrypted datasets are sent raw.
    pub raw: Raw,
    /// Whether data may come back unencrypted that was encrypted.
    pub accepts_unencrypted: bool,
}

/// What is on this host, at the place and above it.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The datasets.
    pub datasets: Datasets,
    /// The snapshots up to which some of them are being brought back.
    pub under_way: BTreeMap<DatasetName, UnderWay>,
    /// What the tokens of partial receives say.
    pub tokens: BTreeMap<DatasetName, Result<Token, Stale>>,
    /// Whether the dataset above the place is there.
    pub has_parent: bool,
    /// Whether the dataset above the place is encrypted, so that plain datasets get its key.
    pub lands_encrypted: bool,
    /// The datasets that are asked for, where they are still at home.
    pub home: Datasets,
}

/// The snapshot up to which a dataset is being brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Its identity.
    pub guid: Guid,
    /// Its name.
    pub name: String,
}

impl UnderWay {
    /// Reads the property that [`crate::zfs::argv::receive_back`] sets.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (guid, name) = text.split_once(' ')?;
        Some(Self { guid: Guid(guid.parse().ok()?), name: name.to_owned() })
    }
}

/// How to go on with a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These streams, in this order.
    Streams(Vec<Stream>),
    /// The rest of an interrupted stream; then all is decided anew.
    Resume(String),
    /// It is back.
    Done,
}

/// A dataset that is brought back.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its copy, with the snapshots that are brought back.
    pub copy: Dataset,
    /// What it is called on this host.
    pub name: DatasetName,
    /// The newest of the snapshots.
    pub chosen: Snapshot,
    /// Whether the streams are raw.
    pub raw: bool,
    /// Whether it is plain below one that comes back raw, whose key nobody has loaded yet.
    pub keyless: bool,
    /// What to do first.
    pub step: Step,
}

/// A dataset of which the archiver has no snapshot, made anew since others lie below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it is called on this host.
    pub name: DatasetName,
    /// Whether the one above it comes back raw, whose key nobody has loaded yet.
    pub keyless: bool,
}

/// A dataset that is not brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it would be called on this host.
    pub name: DatasetName,
    /// Why.
    pub why: Why,
}

/// Why a dataset is not brought back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It has no such snapshot.
    #[error("the archiver has no {0} of it")]
    NoSnapshot(String),
    /// Replication has set it aside.
    #[error("it was set aside on the archiver")]
    Aside,
    /// The dataset above is neither there nor brought back.
    #[error("there is no {0} on this host")]
    NoParent(DatasetName),
}

/// What is brought back, parents first, and what is not.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is.
    pub pieces: Vec<Piece>,
    /// What is made for it.
    pub holders: Vec<Holder>,
    /// What is not.
    pub left: Vec<Left>,
    /// Creation times that contradict the order in which snapshots were received.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Plans for the copies, which are the one asked for and those below it.
    ///
    /// # Errors
    /// What is in the way of any of them: all or none are begun.
    pub fn new(request: &Request, copies: &Datasets, host: &Host) -> Result<Self, Refusal> {
        if !copies.contains_key(&request.copy) {
            let (dataset, copy) = (request.dataset.clone(), request.copy.clone());
            return Err(Refusal::NoCopy { archiver: request.archiver.clone(), dataset, copy });
        }
        let mut plan = Self { pieces: vec![], holders: vec![], left: vec![], warnings: vec![] };
        plan.warnings.extend(copies.values().flat_map(backdated));
        for copy in copies.values() {
            let relative = copy.name.relative_to(&request.copy).unwrap_or_default();
            // A name that is too long for this host cannot have come from it.
            let Ok(name) = request.to.join(relative) else { continue };
            match plan.choose(request, copy, relative, &name, host) {
                Ok(piece) => plan.pieces.push(piece),
                Err(Why::NoSnapshot(_))
                    if plan.has_place_for(&name, host) && holds(copy, request, copies) =>
                {
                    let keyless = plan.is_below_raw(&name);
                    // An interrupted restore may have made it.
                    let is_new = !host.datasets.contains_key(&name);
                    plan.holders.extend(is_new.then_some(Holder { name, keyless }));
                }
                Err(why) => plan.left.push(Left { name, why }),
            }
        }
        plan.check(request)?;
        let guid = |piece: &Piece| host.under_way.get(&piece.name).map(|under_way| under_way.guid);
        let continued = plan.pieces.iter().any(|piece| guid(piece) == Some(piece.chosen.guid));
        for piece in &mut plan.pieces {
            piece.step = step(piece, host, continued)?;
            if piece.step != Step::Done && is_exposed(piece, request, host) {
                let (dataset, archiver) = (piece.name.clone(), request.archiver.clone());
                return Err(Refusal::Unencrypted { dataset, archiver });
            }
        }
        Ok(plan)
    }

    fn choose(
        &self,
        request: &Request,
        copy: &Dataset,
        relative: &str,
        name: &DatasetName,
        host: &Host,
    ) -> Result<Piece, Why> {
        if conflict::is_aside(relative) {
            return Err(Why::Aside);
        }
        let chosen = request.wanted.of(copy).cloned();
        let chosen = chosen.ok_or_else(|| Why::NoSnapshot(request.wanted.to_string()))?;
        if !relative.is_empty() && !self.has_place_for(name, host) {
            return Err(Why::NoParent(name.parent().unwrap_or_else(|| name.clone())));
        }
        if relative.is_empty() && !host.has_parent {
            return Err(Why::NoParent(name.parent().unwrap_or_else(|| name.clone())));
        }
        let mut copy = copy.clone();
        copy.snapshots.retain(|snapshot| {
            let until = snapshot.createtxg <= chosen.createtxg;
            if request.only { snapshot.guid == chosen.guid } else { until }
        });
        let raw = copy.is_encrypted() && form::is_chain_raw(&copy, &request.root);
        let keyless = !raw && self.is_below_raw(name);
        Ok(Piece { name: name.clone(), chosen, raw, keyless, step: Step::Done, copy })
    }

    /// Whether the dataset above is there, or comes.
    fn has_place_for(&self, name: &DatasetName, host: &Host) -> bool {
        let Some(parent) = name.parent() else { return true };
        let pieces = self.pieces.iter().map(|piece| &piece.name);
        let mut coming = pieces.chain(self.holders.iter().map(|holder| &holder.name));
        host.datasets.contains_key(&parent) || coming.any(|name| *name == parent)
    }

    fn is_below_raw(&self, name: &DatasetName) -> bool {
        let mut above = self.pieces.iter().filter(|piece| Some(&piece.name) == name.parent().as_ref());
        above.any(|above| above.raw)
    }

    /// Something must be left to bring back.
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let missing = self.left.iter().find_map(|left| match &left.why {
            Why::NoParent(parent) => Some((left.name.clone(), parent.clone())),
            Why::NoSnapshot(_) | Why::Aside => None,
        });
        match missing {
            _ if !self.pieces.is_empty() => Ok(()),
            Some((dataset, parent)) => Err(Refusal::NoParent { dataset, parent }),
            None => Err(Refusal::NoSnapshot {
                archiver: request.archiver.clone(),
                dataset: request.dataset.clone(),
                wanted: request.wanted.to_string(),
            }),
        }
    }
}

/// Whether a dataset comes back unencrypted, as the archiver says, though this host has reason to believe that it
/// was encrypted: it still is, the spec sends everything raw, or the dataset above it comes back encrypted. The
/// archiver keeps the record of its properties, so that proves nothing.
fn is_exposed(piece: &Piece, request: &Request, host: &Host) -> bool {
    let relative = piece.name.relative_to(&request.to).unwrap_or_default();
    let home = request.dataset.join(relative).ok().and_then(|name| host.home.get(&name).cloned());
    let is_exposed = match (home, request.raw) {
        (Some(home), Raw::Never) => home.is_encrypted() && (piece.keyless || !host.lands_encrypted),
        (Some(home), Raw::Auto | Raw::Always) => home.is_encrypted(),
        (None, Raw::Never) => false,
        (None, Raw::Always) => true,
        (None, Raw::Auto) => piece.keyless,
    };
    is_exposed && !piece.raw && !request.accepts_unencrypted
}

/// Whether a copy was only made to hold others, of which some come back.
fn holds(copy: &Dataset, request: &Request, copies: &Datasets) -> bool {
    let is_below = |other: &Dataset| other.name != copy.name && other.name.is_within(&copy.name);
    let comes = |other: &Dataset| {
        let relative = other.name.relative_to(&request.copy).unwrap_or_default();
        !conflict::is_aside(relative) && request.wanted.of(other).is_some()
    };
    copy.kind == Kind::Filesystem
        && copy.snapshots.is_empty()
        && copies.values().any(|other| is_below(other) && comes(other))
}

/// What to do next for a dataset. `continued` says that a restore of these datasets was interrupted,
/// so that those may be back already that nothing else is to be done for.
///
/// # Errors
/// When what is there is not an unfinished restore of the same.
pub fn step(piece: &Piece, host: &Host, continued: bool) -> Result<Step, Refusal> {
    let dataset = piece.name.clone();
    let Some(here) = host.datasets.get(&dataset) else {
        return Ok(Step::Streams(streams(&piece.copy, None)));
    };
    let is_back = here.snapshot(piece.chosen.guid).is_some() && here.token.is_none();
    match host.under_way.get(&dataset) {
        Some(under_way) if under_way.guid == piece.chosen.guid => {}
        Some(UnderWay { name, .. }) => {
            let (under_way, wanted) = (format!("@{name}"), piece.chosen.name.clone());
            return Err(Refusal::OtherUnderWay { dataset, under_way, wanted });
        }
        None if continued && is_back => return Ok(Step::Done),
        None => return Err(Refusal::Exists { dataset }),
    }
    match (host.tokens.get(&dataset), &here.token) {
        (Some(Ok(token)), Some(text)) => {
            check(piece, token)?;
            let own = here.snapshots.iter().filter(|snapshot| piece.copy.snapshot(snapshot.guid).is_none());
            let snapshots: Vec<String> = own.map(|snapshot| format!("@{}", snapshot.name)).collect();
            if snapshots.is_empty() {
                Ok(Step::Resume(text.clone()))
            } else {
                // `zfs receive` would say that "kernel modules must be upgraded".
                Err(Refusal::Snapshotted { dataset, snapshots })
            }
        }
        (Some(Err(stale)), Some(_)) => Err(Refusal::Stale { dataset, reason: stale.to_string() }),
        _ if is_back => Ok(Step::Done),
        _ => match common(&piece.copy, here) {
            Some(base @ Base::Snapshot(_)) => Ok(Step::Streams(streams(&piece.copy, Some(base)))),
            Some(Base::Bookmark(_)) | None => Err(Refusal::Exists { dataset }),
        },
    }
}

/// Whether a token goes on with one of the snapshots that are wanted.
fn check(piece: &Piece, token: &Token) -> Result<(), Refusal> {
    let fits = piece.copy.snapshots.first().is_some_and(|first| {
        let known = |guid| piece.copy.snapshot(guid).is_some();
        known(token.to) && token.from.map_or(first.guid == token.to, known)
    });
    let (dataset, wanted) = (piece.name.clone(), piece.chosen.name.clone());
    if !fits {
        return Err(Refusal::OtherUnderWay { dataset, under_way: token.to_name.clone(), wanted });
    }
    match token.check(&piece.copy, piece.raw) {
        Ok(()) => Ok(()),
        Err(stale) => Err(Refusal::Stale { dataset, reason: stale.to_string() }),
    }
}
