use crate::short;
use crate::svg::Svg;

/// One question of a bar chart.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What was asked.
    pub title: String,
    /// What the numbers count.
    pub unit: String,
    /// The answers, ours first.
    pub bars: Vec<Bar>,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Who answers.
    pub name: String,
    /// The number.
    pub value: f64,
}

const WIDTH: f64 = 920.0;
const COLUMNS: usize = 2;
const LEFT: f64 = 24.0;
const NAMES: f64 = 118.0;
const LABELS: f64 = 104.0;
const BAR: f64 = 15.0;
const HEAD: f64 = 64.0;
const PANEL_HEAD: f64 = 24.0;
const GAP: f64 = 16.0;
/// Bars of more than so many times ours are cut short: next to them the others could not be told apart.
const LONGEST: f64 = 12.0;

/// A panel for each question; its bars begin at zero, and those above `LONGEST` times ours show a gap.
pub fn bar_chart(title: &str, subtitle: &str, panels: &[Panel]) -> String {
    let rows: Vec<&[Panel]> = panels.chunks(COLUMNS).collect();
    let tall = |row: &[Panel]| {
        let most = row.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
        PANEL_HEAD + most as f64 * BAR + GAP
    };
    let height = HEAD + rows.iter().map(|row| tall(row)).sum::<f64>();
    let mut svg = Svg::new(WIDTH, height);
    svg.text(LEFT, 28.0, "title", title);
    svg.text(LEFT, 46.0, "faint small", subtitle);
    let column = (WIDTH - 2.0 * LEFT) / COLUMNS as f64;
    let mut top = HEAD;
    for row in rows {
        for (place, panel) in row.iter().enumerate() {
            draw(&mut svg, panel, LEFT + place as f64 * column, top, column - LEFT);
        }
        top += tall(row);
    }
    svg.finish(title)
}

fn draw(svg: &mut Svg, panel: &Panel, left: f64, top: f64, width: f64) {
    svg.text(left, top + 12.0, "strong", &panel.title);
    svg.text(left + width, top + 12.0, "faint small end", &panel.unit);
    let ours = panel.bars.first().map_or(1.0, |bar| bar.value);
    let longest = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max).min(LONGEST * ours);
    let room = width - NAMES - LABELS;
    for (place, bar) in panel.bars.iter().enumerate() {
        let y = top + PANEL_HEAD + place as f64 * BAR;
        let (fill, ink) = if place == 0 { ("ours", "small strong") } else { ("bar", "small") };
        let length = (bar.value.min(longest) / longest * room).max(1.0);
        svg.text(left + NAMES - 8.0, y + 9.0, &format!("{ink} end"), &bar.name);
        svg.rectangle(left + NAMES, y, length, BAR - 5.0, fill);
        if bar.value > longest {
            svg.slash(left + NAMES + length, y, BAR - 5.0);
        }
        let factor = if place == 0 { String::new() } else { format!("{}×", times(bar.value / ours)) };
        svg.text_and(left + NAMES + length + 6.0, y + 9.0, ink, &short(bar.value), &factor);
    }
}

/// Two digits are enough for a factor.
fn times(factor: f64) -> String {
    let digits = usize::from(factor < 9.95);
    format!("{factor:.digits$}")
}
