//! From the bytes of a spec to a spec, or to everything that is wrong with it.
//!
//! Each stage goes on as far as the one before allows: a text that is no JSON has one problem,
//! but wrong types do not hide wrong values elsewhere (`decode`).

mod decode;
mod shape;
mod syntax;
mod wording;

use serde_json::Value;

use crate::problem::{Problem, Problems, Severity};
use crate::source::Source;
use crate::spec::Spec;
use crate::validate;

/// Largest spec that is read; 1,000 hosts with ten replications each are a tenth of it.
pub const MAX_SPEC_BYTES: u64 = 16 * 1024 * 1024;

/// A spec that makes sense, and what its author should know all the same.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The spec.
    pub spec: Spec,
    /// Its warnings, perhaps none.
    pub warnings: Problems,
    /// The text it was read from.
    pub source: Source,
}

impl Spec {
    /// Reads a spec; `name` is what messages call it, such as `dormouse.json`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Parsed, Problems> {
        let source = syntax::text(name, bytes)?;
        let (value, duplicates) = syntax::value(&source)?;
        let (spec, problems) = check(value, duplicates);
        let is_refused = problems.iter().any(|problem| problem.severity() == Severity::Error);
        match spec {
            Some(spec) if !is_refused => {
                Ok(Parsed { spec, warnings: Problems::new(source.clone(), problems), source })
            }
            _ => Err(Problems::new(source, problems)),
        }
    }
}

/// So many problems are looked at more closely; a file with more is some other file.
const MAX_PROBLEMS: usize = 1000;

/// The spec as far as it can be read, and all problems.
fn check(value: Value, duplicates: Vec<Problem>) -> (Option<Spec>, Vec<Problem>) {
    let mut log = decode::Log::default();
    let spec = decode::spec(value.clone(), &mut log);
    let decode::Log { mut problems, mut damaged } = log;
    damaged.extend(duplicates.iter().map(|problem| problem.path().clone()));
    problems.extend(duplicates);
    if let Some(spec) = &spec {
        let misshapen =
            shape::check(&value, spec).into_iter().filter(|problem| !problem.follows_from(&damaged));
        let misshapen: Vec<Problem> = misshapen.collect();
        damaged.extend(misshapen.iter().map(|problem| problem.path().clone()));
        problems.extend(misshapen);
        let found = validate::spec(spec);
        problems.extend(found.into_iter().filter(|problem| !problem.follows_from(&damaged)));
    }
    problems.truncate(MAX_PROBLEMS);
    (spec, problems)
}
