//! What comes out: tables in Markdown and a chart.

use crate::peers::Peers;
use crate::workloads::{Unit, WORKLOADS, Workload};
use figures::{Bar, Panel, Spread, bar_chart, machine, short, today};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The answers of all rounds, by workload and peer.
pub(crate) type Answers = BTreeMap<(&'static str, &'static str), Vec<f64>>;

fn spread(answers: &Answers, workload: &Workload, peer: &'static str) -> Option<Spread> {
    answers.get(&(workload.name, peer)).filter(|all| !all.is_empty()).map(|all| Spread::of(all.iter().copied()))
}

fn unit(workload: &Workload) -> String {
    match workload.unit {
        Unit::Time => format!("ns per {}", workload.operation),
        Unit::CpuTime => format!("ns of processor time per {}", workload.operation),
        Unit::Bytes => format!("bytes per {}", workload.operation),
    }
}

/// The table of medians, and when and where they were measured.
pub(crate) fn summary(peers: &Peers, answers: &Answers, rounds: usize) -> String {
    let mut text = String::from("| |");
    for peer in &peers.present {
        let _ = write!(text, " {} |", peer.name);
    }
    text += "\n|---|";
    text += &"---:|".repeat(peers.present.len());
    text += "\n";
    for workload in WORKLOADS {
        let Some(ours) = spread(answers, workload, peers.present[0].name) else { continue };
        let _ = write!(text, "| {}, {} |", workload.title, unit(workload));
        for (place, peer) in peers.present.iter().enumerate() {
            let shown = spread(answers, workload, peer.name).map_or("–".to_owned(), |spread| {
                let median = short(spread.median);
                if place == 0 {
                    format!("**{median}**")
                } else {
                    format!("{median} ({}×)", times(spread.median / ours.median))
                }
            });
            let _ = write!(text, " {shown} |");
        }
        text += "\n";
    }
    let versions: Vec<&str> = peers.present.iter().map(|peer| peer.version.as_str()).collect();
    let _ = write!(
        text,
        "\nMedians of {rounds} rounds in fresh processes that took turns; in parentheses how many times ours.\n\
         Measured on {} on {}.\n{}.\n",
        today(),
        machine(),
        versions.join("; ")
    );
    if !peers.absent.is_empty() {
        let _ = writeln!(text, "Absent: {}.", peers.absent.join("; "));
    }
    text
}

fn times(factor: f64) -> String {
    let digits = if factor < 0.95 { 2 } else { usize::from(factor < 9.95) };
    format!("{factor:.digits$}")
}

/// Everything: medians, spread, and the ratios next to their budgets.
pub(crate) fn report(peers: &Peers, answers: &Answers, rounds: usize, failures: &[String]) -> String {
    let mut text = String::from(
        "# This crate and other languages' promises\n\n\
         Written by `cargo run --release --manifest-path benches/compare/Cargo.toml`; [`README.md`](../README.md) says how.\n\n",
    );
    text += &summary(peers, answers, rounds);
    text += "\n![chart](chart.svg)\n\n## Spread\n\nMedian and quartiles of the rounds.\n\n| |";
    for peer in &peers.present {
        let _ = write!(text, " {} |", peer.name);
    }
    text += "\n|---|";
    text += &"---|".repeat(peers.present.len());
    text += "\n";
    for workload in WORKLOADS {
        let _ = write!(text, "| `{}`, {} |", workload.name, unit(workload));
        for peer in &peers.present {
            let shown = spread(answers, workload, peer.name).map_or("–".to_owned(), |spread| spread.show());
            let _ = write!(text, " {shown} |");
        }
        text += "\n";
    }
    text += "\n## Budgets\n\nOurs divided by Node's, medians of the rounds' ratios.\n\n";
    text += &budgets(answers);
    if !failures.is_empty() {
        text += "\n## Failures\n\n";
        for failure in failures {
            let _ = writeln!(text, "- {failure}");
        }
    }
    text
}

/// The ratios that have a budget.
pub(crate) fn budgets(answers: &Answers) -> String {
    let mut text = String::from("| work | against | ours / peer | must | aim | |\n|---|---|---|---|---|---|\n");
    for workload in WORKLOADS {
        for (peer, budget) in [("Node", workload.against_node), ("Node, 256 MB", workload.against_node_256)] {
            let Some((must, aim)) = budget else { continue };
            let (Some(ours), Some(theirs)) =
                (answers.get(&(workload.name, "thenable")), answers.get(&(workload.name, peer)))
            else {
                continue;
            };
            let ratio = Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs));
            let verdict = match ratio.median {
                median if median <= aim => "aim reached",
                median if median <= must => "must reached",
                _ => "**over budget**",
            };
            let _ = writeln!(text, "| {} | {peer} | {} | {must} | {aim} | {verdict} |", workload.title, ratio.show());
        }
    }
    text
}

/// The chart for the README.
pub(crate) fn chart(peers: &Peers, answers: &Answers) -> String {
    let panels: Vec<Panel> = WORKLOADS
        .iter()
        .filter(|workload| workload.in_chart)
        .filter_map(|workload| {
            let bars: Vec<Bar> = peers
                .present
                .iter()
                .filter_map(|peer| {
                    let value = spread(answers, workload, peer.name)?.median;
                    Some(Bar { name: peer.name.to_owned(), value })
                })
                .collect();
            let ours_is_there = bars.first().is_some_and(|bar| bar.name == peers.present[0].name);
            ours_is_there.then(|| Panel { title: workload.title.to_owned(), unit: unit(workload), bars })
        })
        .collect();
    let subtitle = format!("Less is better; bars of more than 12 times ours are cut short. {}; {}", today(), machine());
    bar_chart("thenable and other languages' promises", &subtitle, &panels)
}
