//! What is wrong with a spec, where, why, and what to do about it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::json_path::JsonPath;
use crate::source::Source;

/// So many problems are drawn; a file with more has one cause that shows in the first of them.
const DRAWN_AT_MOST: usize = 100;

/// Longest line that is looked at as a whole; a minified spec is one line of any length.
const LINE_AT_MOST: usize = 4000;

/// Longest title in characters.
const TITLE_AT_MOST: usize = 300;

/// Whether a problem stops the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The spec is refused.
    Error,
    /// The spec is taken, but its author should know.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    path: JsonPath,
    on_key: bool,
    span: Option<Range<usize>>,
    touching: Vec<JsonPath>,
    reason: String,
    fix: String,
}

impl Problem {
    /// The value at `path` is refused for this reason; `fix` says what to write.
    pub fn new(path: JsonPath, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path,
            on_key: false,
            span: None,
            touching: Vec::new(),
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// Only a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// It is the key, not the value, that is wrong.
    #[must_use]
    pub fn on_key(self) -> Self {
        Self { on_key: true, ..self }
    }

    /// It stands at this place of the source, which its path does not lead to.
    #[must_use]
    pub fn at(self, span: Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    /// It also depends on the value at `path`: when that one is wrong itself, this is no news.
    #[must_use]
    pub fn touching(mut self, path: JsonPath) -> Self {
        self.touching.push(path);
        self
    }

    /// Where it is.
    #[must_use]
    pub const fn path(&self) -> &JsonPath {
        &self.path
    }

    /// Whether it stops the generator.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// Why the value is refused.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &str {
        &self.fix
    }

    /// Whether it depends on one of the values that are known to be wrong.
    pub(crate) fn follows_from(&self, damaged: &BTreeSet<JsonPath>) -> bool {
        self.path.touches(damaged) || self.touching.iter().any(|path| path.touches(damaged))
    }

    /// Names of any length are in it; the source line shows them anyway.
    fn title(&self) -> String {
        let title = format!("{}: {}", self.path, self.reason);
        match title.char_indices().nth(TITLE_AT_MOST) {
            Some((end, _)) => format!("{}…", &title[..end]),
            None => title,
        }
    }
}

/// All problems of one spec, with its text to show them in.
#[derive(Clone, Debug)]
pub struct Problems {
    source: Source,
    problems: Vec<Problem>,
}

impl Problems {
    /// These problems of this source, in the order of the places where they stand.
    #[must_use]
    pub fn new(source: Source, mut problems: Vec<Problem>) -> Self {
        let document = source.document();
        for problem in &mut problems {
            if problem.span.is_none() {
                problem.span = Some(document.span(&problem.path, problem.on_key));
            }
        }
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        drop(document);
        Self { source, problems }
    }

    /// The problems, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.problems.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// All of them as text for a person, each with its line of the source; coloured for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.problems.iter().take(DRAWN_AT_MOST) {
            text.push_str(&self.draw(problem, &renderer));
            text.push_str("\n\n");
        }
        if self.len() > DRAWN_AT_MOST {
            text.push_str(&format!("… and {} more at least\n\n", self.len() - DRAWN_AT_MOST));
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn draw(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(problem.title());
        let span = problem.span.clone().unwrap_or(0..0);
        let view = self.source.view(&span, LINE_AT_MOST);
        let mut group = Group::with_title(title);
        group = if view.is_whole_line {
            let annotation = AnnotationKind::Primary.span(view.span);
            group.element(
                Snippet::source(view.text)
                    .path(self.source.name())
                    .line_start(view.line)
                    .annotation(annotation),
            )
        } else {
            let annotation = AnnotationKind::Primary.span(view.span);
            group
                .element(Origin::path(self.source.name()).line(view.line).char_column(view.column))
                .element(Snippet::source(view.text).line_start(view.line).annotation(annotation))
        };
        renderer.render(&[group.element(Level::HELP.message(problem.fix.as_str()))])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Problems {}
