//! What every program is asked to do. Each language has the same list: `ours.rs` here, and the programs in `peers/`.

/// What the number that a program gives counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds per operation.
    Time,
    /// Nanoseconds of processor time per operation.
    CpuTime,
    /// Resident bytes per operation.
    Bytes,
}

/// Something that every program can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// Its name on the command line of every program.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What an operation is.
    pub(crate) operation: &'static str,
    pub(crate) unit: Unit,
    /// How many a run does. (Chains of 10 count links.)
    pub(crate) size: usize,
    /// The ratio ours / Node that must be reached, and the one to aim for.
    pub(crate) against_node: Option<(f64, f64)>,
    /// The same against Node with a young generation of 256 MB.
    pub(crate) against_node_256: Option<(f64, f64)>,
    /// Whether the chart shows it; the table has all.
    pub(crate) in_chart: bool,
}

const fn workload(name: &'static str, title: &'static str, operation: &'static str, size: usize) -> Workload {
    Workload {
        name,
        title,
        operation,
        unit: Unit::Time,
        size,
        against_node: None,
        against_node_256: None,
        in_chart: true,
    }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { against_node: Some((0.60, 0.30)), ..workload("chains_of_10", "`then`, chains of 10", "link", 20_000) },
    Workload {
        against_node: Some((0.25, 0.10)),
        against_node_256: Some((1.2, 0.6)),
        ..workload("long_chain", "one chain of 10⁶ `then`s", "link", 1_000_000)
    },
    Workload { against_node: Some((0.25, 0.08)), ..workload("settle", "create + resolve + await", "promise", 20_000) },
    Workload {
        against_node: Some((0.5, 0.12)),
        ..workload("fan_out", "10⁶ handlers on one promise", "handler", 1_000_000)
    },
    Workload { against_node: Some((0.3, 0.08)), ..workload("all", "`all` of 10⁵ pending", "input", 100_000) },
    workload("spawn", "10⁶ async functions, awaited", "call", 1_000_000),
    Workload { against_node: Some((0.2, 0.07)), ..workload("doxbee", "doxbee-sequential, `then`", "request", 10_000) },
    workload("doxbee_async", "doxbee-sequential, async functions", "request", 10_000),
    Workload {
        against_node: Some((0.2, 0.05)),
        ..workload("parallel", "parallel, 25 queries a request", "request", 10_000)
    },
    workload("doxbee_timers", "doxbee-sequential, 1 ms timers", "request", 10_000),
    workload("parallel_timers", "parallel, 1 ms timers", "request", 10_000),
    Workload {
        unit: Unit::CpuTime,
        against_node: Some((0.6, 0.4)),
        ..workload("timers", "10⁶ delays within a second", "delay", 1_000_000)
    },
    Workload { unit: Unit::Bytes, ..workload("memory", "memory, pending promise", "promise", 1_000_000) },
    Workload { unit: Unit::Bytes, ..workload("memory_then", "memory, pending with one `then`", "promise", 1_000_000) },
];
