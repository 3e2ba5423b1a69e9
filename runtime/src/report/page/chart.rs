//! Pictures of numbers over time: geometry only, in a box of [`WIDTH`] × [`HEIGHT`].
//!
//! Labels are the page's text and not the picture's, so that they can be read at any width.

use jiff::tz::TimeZone;
use serde::Serialize;

/// How wide a picture is.
pub const WIDTH: f64 = 960.0;

/// How high a picture is.
pub const HEIGHT: f64 = 100.0;

const DAY: i64 = 86_400;

/// How many columns a picture of single runs has: more could not be told apart.
const COLUMNS: i64 = 160;

/// The time that a page is about, in seconds since 1970.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its begin.
    pub from: i64,
    /// Its end.
    pub to: i64,
    /// Where days begin.
    pub zone: TimeZone,
}

/// A picture, ready to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What the highest point stands for.
    pub top: String,
    /// What stands below it, from left to right.
    pub times: Vec<String>,
    /// Columns.
    pub bars: Vec<Bar>,
    /// Lines, above the columns.
    pub lines: Vec<Line>,
    /// In words, for those who do not see it.
    pub words: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// How it looks: `good`, `bad`, `idle` or `plain`.
    pub look: &'static str,
    /// What it stands for.
    pub title: String,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// How it looks: `plain`, `limit` or `guess`.
    pub look: &'static str,
    /// The attribute `points` of SVG's `polyline`.
    pub points: String,
}

impl Span {
    /// The time from `from` to `to`, at least an hour.
    #[must_use]
    pub fn new(from: i64, to: i64, zone: TimeZone) -> Self {
        Self { from: from.min(to - 3_600), to, zone }
    }

    /// The same, and a part of what comes.
    #[must_use]
    pub fn with_future(&self) -> Self {
        Self { to: self.to + (self.to - self.from) / 3, ..self.clone() }
    }

    /// A moment as people write it.
    #[must_use]
    pub fn moment(&self, at: i64) -> String {
        self.print(at, "%Y-%m-%d %H:%M")
    }

    /// A day as people write it.
    #[must_use]
    pub fn day(&self, at: i64) -> String {
        self.print(at, "%Y-%m-%d")
    }

    fn print(&self, at: i64, format: &str) -> String {
        let at = jiff::Timestamp::from_second(at).unwrap_or_default();
        at.to_zoned_datetime(self.zone.clone()).strftime(format).to_string()
    }

    fn length(&self) -> f64 {
        (self.to - self.from).max(1) as f64
    }

    fn x(&self, at: i64) -> f64 {
        ((at - self.from) as f64 / self.length() * WIDTH).clamp(0.0, WIDTH)
    }

    /// Three moments to stand below a picture.
    #[must_use]
    pub fn times(&self) -> Vec<String> {
        let format = if self.to - self.from < 2 * DAY { "%b %-d, %H:%M" } else { "%b %-d" };
        [self.from, i64::midpoint(self.from, self.to), self.to].map(|at| self.print(at, format)).to_vec()
    }
}

/// How high a column of single runs is, by how bad the worst of them was: who sees no colours sees that.
const HEIGHTS: [f64; 3] = [0.3 * HEIGHT, 0.65 * HEIGHT, HEIGHT];

/// Columns, each as the worst of what fell into it looks; `marks` are moments with their looks, the
/// worse the greater, up to 2, and with words.
#[must_use]
pub fn timeline(span: &Span, marks: &[(i64, (u8, &'static str), String)]) -> Vec<Bar> {
    let column = |at: i64| ((at - span.from) * COLUMNS / (span.to - span.from).max(1)).clamp(0, COLUMNS - 1);
    let width = WIDTH / COLUMNS as f64;
    let mut bars = Vec::new();
    for number in 0..COLUMNS {
        let fell = || marks.iter().filter(|(at, ..)| *at >= span.from && column(*at) == number);
        let Some((at, (bad, look), words)) = fell().max_by_key(|(_, look, _)| *look) else { continue };
        let more = match fell().count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let title = format!("{}: {words}{more}", span.moment(*at));
        let height = HEIGHTS[usize::from(*bad).min(2)];
        let x = number as f64 * width;
        bars.push(Bar { x, y: HEIGHT - height, width: width * 0.8, height, look, title });
    }
    bars
}

/// A column for each day, as high as its sum, and the highest sum; `say` puts it into words.
#[must_use]
pub fn days(span: &Span, values: &[(i64, f64)], say: impl Fn(f64) -> String) -> (Vec<Bar>, f64) {
    let mut sums: Vec<(String, i64, f64)> = Vec::new();
    for (at, value) in values.iter().filter(|(at, _)| (span.from..=span.to).contains(at)) {
        let day = span.day(*at);
        match sums.last_mut() {
            Some(last) if last.0 == day => last.2 += value,
            _ => sums.push((day, *at, *value)),
        }
    }
    let top = sums.iter().fold(0.0, |top: f64, (_, _, sum)| top.max(*sum));
    let width = (DAY as f64 / span.length() * WIDTH).clamp(3.0, 48.0) * 0.8;
    let bar = |(day, at, sum): (String, i64, f64)| {
        let height = if top > 0.0 { sum / top * HEIGHT } else { 0.0 };
        let x = span.x(at).min(WIDTH - width);
        Bar { x, y: HEIGHT - height, width, height, look: "plain", title: format!("{day}: {}", say(sum)) }
    };
    (sums.into_iter().filter(|(.., sum)| *sum > 0.0).map(bar).collect(), top)
}

/// A line through values, where `top` is the upper edge.
#[must_use]
pub fn line(span: &Span, look: &'static str, values: &[(i64, f64)], top: f64) -> Line {
    let point = |(at, value): &(i64, f64)| {
        let y = HEIGHT - (value / top.max(f64::MIN_POSITIVE) * HEIGHT).clamp(0.0, HEIGHT);
        format!("{:.1},{y:.1}", span.x(*at))
    };
    Line { look, points: values.iter().map(point).collect::<Vec<_>>().join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week() -> Span {
        Span::new(0, 7 * DAY, TimeZone::UTC)
    }

    #[test]
    fn a_column_looks_like_the_worst_that_fell_into_it() {
        let marks = [
            (10, (0, "idle"), "nothing to do".to_owned()),
            (20, (2, "bad"), "unreachable".to_owned()),
            (7 * DAY, (1, "good"), "sent".to_owned()),
            (-5, (2, "bad"), "before".to_owned()),
        ];
        let bars = timeline(&week(), &marks);
        assert_eq!(bars.iter().map(|bar| bar.look).collect::<Vec<_>>(), ["bad", "good"]);
        assert_eq!(bars[0].title, "1970-01-01 00:00: unreachable (and 1 more)");
        assert!(bars[1].x + bars[1].width <= WIDTH && bars[1].height < bars[0].height);
    }

    #[test]
    fn a_days_column_is_its_sum_and_the_highest_fills_the_box() {
        let values = [(1, 10.0), (2, 10.0), (DAY, 5.0), (2 * DAY, 0.0)];
        let (bars, top) = days(&week(), &values, |sum| format!("{sum} B"));
        assert!((top - 20.0).abs() < f64::EPSILON);
        assert_eq!(bars.len(), 2, "{bars:?}");
        assert_eq!((bars[0].y, bars[0].height, bars[1].height), (0.0, HEIGHT, HEIGHT / 4.0));
        assert_eq!(bars[1].title, "1970-01-02: 5 B");
    }

    #[test]
    fn a_line_stays_in_the_box() {
        let drawn = line(&week(), "plain", &[(0, 0.0), (7 * DAY, 50.0), (8 * DAY, 200.0)], 100.0);
        assert_eq!(drawn.points, "0.0,100.0 960.0,50.0 960.0,0.0");
        assert_eq!(line(&week(), "plain", &[(0, 0.0)], 0.0).points, "0.0,100.0");
    }

    #[test]
    fn days_begin_where_the_reader_lives() {
        let berlin = Span { zone: TimeZone::fixed(jiff::tz::offset(1)), ..week() };
        assert_eq!(berlin.day(DAY - 1), "1970-01-02");
        assert_eq!(berlin.times(), ["Jan 1", "Jan 4", "Jan 8"]);
        assert_eq!(Span::new(0, 0, TimeZone::UTC).times()[0], "Dec 31, 23:00");
    }
}
