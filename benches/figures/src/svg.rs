use std::fmt::Write as _;

/// A card with its own background, so that it can be read on a page of any colour; the colours follow the reader's scheme.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Plain classes, no custom properties: also what converts SVG to PNG understands them.
const STYLE: &str = "
text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px; fill: #1f2328 }
.small { font-size: 11px } .strong { font-weight: 600 } .title { font-size: 15px; font-weight: 600 }
.end { text-anchor: end } .middle { text-anchor: middle }
.paper { fill: #ffffff; stroke: #d0d7de } .gap { fill: #ffffff } .faint { fill: #59636e } .grid { stroke: #e4e8ec; stroke-width: 1 }
.bar { fill: #a8b4c0 } .ours { fill: #d9480f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .paper { fill: #0d1117; stroke: #30363d } .gap { fill: #0d1117 } .faint { fill: #9198a1 } .grid { stroke: #21262d }
.bar { fill: #57606a } .ours { fill: #ff922b } }";

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.text_and(x, y, class, text, "");
    }

    /// A text and a fainter one behind it.
    pub(crate) fn text_and(&mut self, x: f64, y: f64, class: &str, text: &str, faint: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('`', "");
        let faint =
            if faint.is_empty() { String::new() } else { format!(r#"<tspan class="faint" dx="8">{faint}</tspan>"#) };
        let _ = writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}{faint}</text>"#);
    }

    pub(crate) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let shape = format!(r#"x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" rx="2""#, width.max(0.0));
        let _ = writeln!(self.body, r#"<rect {shape} class="{class}"/>"#);
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let shape = format!(r#"x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}""#, from.0, from.1, to.0, to.1);
        let _ = writeln!(self.body, r#"<line {shape} class="{class}"/>"#);
    }

    /// A slash through something that ends at `x`, as a sign that it was cut short.
    pub(crate) fn slash(&mut self, x: f64, y: f64, height: f64) {
        let shape = format!("M{:.1} {:.1} l4 0 l-6 {:.1} l-4 0 z", x - 14.0, y - 1.0, height + 2.0);
        let _ = writeln!(self.body, r#"<path d="{shape}" class="gap"/>"#);
    }

    /// From a line's end to its name.
    pub(crate) fn leader(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let shape = format!(r#"x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}""#, from.0, from.1, to.0, to.1);
        let _ = writeln!(self.body, r#"<line {shape} stroke="{colour}" stroke-dasharray="2 2"/>"#);
    }

    /// A line through all `points`, with a dot at each.
    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], colour: &str) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let style = format!(r#"fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round""#);
        let _ = writeln!(self.body, r#"<polyline points="{}" {style}/>"#, path.join(" "));
        for (x, y) in points {
            let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.5" fill="{colour}"/>"#);
        }
    }

    pub(crate) fn finish(self, description: &str) -> String {
        let Self { width, height, body } = self;
        let size = format!(r#"width="{width}" height="{height}" viewBox="0 0 {width} {height}""#);
        let card = format!(
            r#"<rect x="0.5" y="0.5" width="{}" height="{}" rx="6" class="paper"/>"#,
            width - 1.0,
            height - 1.0
        );
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\" aria-label=\"{description}\">\n\
             <style>{STYLE}</style>\n{card}\n{body}</svg>\n"
        )
    }
}
