//! What the types cannot say: which specs make sense.
//!
//! Every rule returns problems; none knows of the others. [`archiver`], [`ec2`], [`host`]
//! and [`report`] look at one thing each, [`overlap`] and [`reach`] at how things stand to each other.

mod archiver;
mod ec2;
mod host;
mod overlap;
mod reach;
mod report;
mod text;

use crate::json_path::JsonPath;
use crate::problem::Problem;
use crate::spec::Spec;

/// All problems of a spec, in no particular order.
pub(crate) fn spec(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.version != 1 {
        let reason = format!("version {} of the format is unknown to this program", spec.version);
        problems.push(Problem::new(
            JsonPath::of(&["version"]),
            reason,
            "write 1, or use a newer dormouse-generate",
        ));
    }
    problems.extend(text::name(&spec.name, &JsonPath::of(&["name"]), "the spec's name"));
    problems.extend(archiver::epoch(spec.admin.epoch, &JsonPath::of(&["admin"])));
    for (name, archiver) in &spec.archivers {
        let path = JsonPath::of(&["archivers", name]);
        problems.extend(text::key(name, &path, "an archiver's name"));
        archiver::check(archiver, &path, &mut problems);
    }
    for (name, host) in &spec.hosts {
        let path = JsonPath::of(&["hosts", name]);
        problems.extend(text::key(name, &path, "a host's name"));
        host::check(spec, host, &path, &mut problems);
    }
    overlap::check(spec, &mut problems);
    reach::check(spec, &mut problems);
    problems
}
