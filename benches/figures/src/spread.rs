/// Median and quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A quarter is below this.
    pub low: f64,
    /// Half is below this.
    pub median: f64,
    /// A quarter is above this.
    pub high: f64,
}

impl Spread {
    /// Of one number or more.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        // Between two neighbours, as far as the quantile lies between them.
        let at = |part: f64| {
            let place = part * (values.len() - 1) as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// Median and quartiles in three digits.
    pub fn show(&self) -> String {
        format!("{} ({} to {})", short(self.median), short(self.low), short(self.high))
    }
}

/// Three significant digits, and thousands in groups.
pub fn short(value: f64) -> String {
    let magnitude = value.abs().max(1e-9).log10().floor() as i32;
    if magnitude > 2 {
        let step = 10_f64.powi(magnitude - 2);
        let digits = format!("{:.0}", (value / step).round() * step);
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return grouped;
    }
    let digits = (2 - magnitude).clamp(0, 4).unsigned_abs() as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{Spread, short};

    #[test]
    fn quartiles_lie_between_neighbours() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { low: 1.75, median: 2.5, high: 3.25 });
        assert_eq!(Spread::of([7.0]), Spread { low: 7.0, median: 7.0, high: 7.0 });
    }

    #[test]
    fn three_digits() {
        let shown = [0.0812, 0.5, 1.666, 43.44, 319.9, 12_345.6, 1_234_567.0].map(short);
        assert_eq!(shown, ["0.0812", "0.500", "1.67", "43.4", "320", "12,300", "1,230,000"]);
    }
}
