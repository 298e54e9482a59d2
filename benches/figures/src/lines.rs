use crate::short;
use crate::svg::Svg;

/// One line.
#[derive(Debug, Clone)]
pub struct Series {
    /// Stands at its right end.
    pub name: String,
    /// From left to right; both positive.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 56.0;
const LABEL: f64 = 15.0;

/// Readable on light and on dark ground.
const COLOURS: [&str; 12] = [
    "#e8590c", "#1c7ed6", "#2f9e44", "#9c36b5", "#e03131", "#0c8599", "#c2950a", "#6741d9", "#868e96", "#d6336c",
    "#66a80f", "#a0522d",
];

/// Both axes logarithmic.
pub fn line_chart(title: &str, subtitle: &str, axes: (&str, &str), series: &[Series]) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text(24.0, 28.0, "title", title);
    svg.text(24.0, 46.0, "faint small", subtitle);
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Axis::new(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let y = Axis::new(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
    // A tick for each size that was measured.
    let mut ticks: Vec<f64> = points().map(|point| point.0).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    for value in ticks {
        let at = x.place(value);
        svg.line((at, TOP), (at, HEIGHT - BOTTOM), "grid");
        svg.text(at, HEIGHT - BOTTOM + 18.0, "faint small middle", &short(value));
    }
    for value in y.steps() {
        let at = y.place(value);
        svg.line((LEFT, at), (WIDTH - RIGHT, at), "grid");
        svg.text(LEFT - 8.0, at + 4.0, "faint small end", &short(value));
    }
    svg.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 16.0, "faint small middle", axes.0);
    svg.text(24.0, TOP - 14.0, "faint small", axes.1);

    let mut ends: Vec<(f64, &Series, &str)> = Vec::new();
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let line: Vec<_> = series.points.iter().map(|&(a, b)| (x.place(a), y.place(b))).collect();
        svg.polyline(&line, colour);
        if let Some(&(_, end)) = line.last() {
            ends.push((end, series, colour));
        }
    }
    // Labels keep their distance: downwards first, and back up from the bottom.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut places: Vec<f64> = Vec::new();
    for &(end, ..) in &ends {
        let above = places.last().map_or(f64::MIN, |last| last + LABEL);
        places.push(end.max(above));
    }
    let mut below = HEIGHT - BOTTOM + LABEL;
    for place in places.iter_mut().rev() {
        *place = place.min(below - LABEL);
        below = *place;
    }
    for ((end, series, colour), place) in ends.into_iter().zip(places) {
        let from = WIDTH - RIGHT;
        svg.leader((from + 4.0, end), (from + 16.0, place), colour);
        svg.text(from + 20.0, place + 4.0, "small", &series.name);
    }
    svg.finish(title)
}

/// A logarithmic axis from one pixel to another.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)));
        Self { low: low.min(high), high, from, to }
    }

    /// A value on the edge is on the axis, whatever rounding says.
    fn has(&self, value: f64) -> bool {
        value >= self.low * 0.95 && value <= self.high * 1.05
    }

    /// 1, 2, 5, 10 and so on.
    fn steps(&self) -> Vec<f64> {
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let steps = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        steps.filter(|&value| self.has(value)).collect()
    }

    fn place(&self, value: f64) -> f64 {
        let span = (self.high / self.low).log10().max(0.01);
        self.from + (value / self.low).log10() / span * (self.to - self.from)
    }
}
