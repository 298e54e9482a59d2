//! Prints programs as JavaScript, for Node. What they call besides promises stands in `node.js`.

use super::program::{Combinator, Handler, Link, Op, Outcome, Program, Return, Source};
use std::fmt::Write;

/// A call of `program` with everything the program does.
pub(crate) fn print(seed: &str, program: &Program) -> String {
    let mut text = format!("program({seed}, ");
    for (turn, operations) in program.turns().enumerate() {
        text.push_str(if turn == 0 { "() => {\n" } else { "}, () => {\n" });
        ops(&mut text, 1, operations);
    }
    text.push_str("});\n");
    text
}

fn line(text: &mut String, depth: usize, content: &str) {
    let _ = writeln!(text, "{:indent$}{content}", "", indent = depth * 2);
}

fn ops(text: &mut String, depth: usize, ops: &[Op]) {
    for op in ops {
        self::op(text, depth, op);
    }
}

fn op(text: &mut String, depth: usize, op: &Op) {
    let content = match op {
        Op::Pending(var) => format!("pending({var});"),
        Op::Settled(var, outcome) => format!("p[{var}] = {};", settled(outcome)),
        Op::Resolve(var, value) => format!("r[{var}]?.resolve({value});"),
        Op::Reject(var, reason) => format!("r[{var}]?.reject(\"{reason}\");"),
        Op::Adopt(var, from) => format!("if (r[{var}] && p[{}]) r[{var}].resolve({});", from.var, source(*from)),
        Op::Abandon(var) => format!("abandon({var});"),
        Op::Link(to, from, link) => {
            line(text, depth, &format!("if (p[{}]) p[{to}] = {}", from.var, source(*from)));
            return self::link(text, depth + 1, link);
        }
        Op::Combine(to, combinator, from) => {
            let from: Vec<String> = from.iter().map(|from| source(*from)).collect();
            let inputs = format!("[{}].filter(Boolean)", from.join(", "));
            match combinator {
                Combinator::All => format!("p[{to}] = Promise.all({inputs}).then(fold);"),
                Combinator::AllSettled => format!("p[{to}] = Promise.allSettled({inputs}).then(foldSettled);"),
                Combinator::Any => format!("p[{to}] = Promise.any({inputs}).catch(aggregate);"),
                Combinator::Race => format!("p[{to}] = Promise.race({inputs});"),
            }
        }
        Op::Copy(to, from) => format!("p[{to}] = p[{from}];"),
        Op::Drop(var) => format!("p[{var}] = undefined;"),
        Op::State(var) => format!("state({var});"),
        Op::Soon(body) => {
            line(text, depth, "queueMicrotask(() => {");
            line(text, depth + 1, &format!("log(\"s{}\");", body.id));
            ops(text, depth + 1, &body.ops);
            "});".into()
        }
        Op::Attempt(var, handler) => {
            line(text, depth, &format!("p[{var}] = attempt(() => {{"));
            self::handler(text, depth, handler, Received::Attempt);
            "});".into()
        }
        Op::Turn => return,
        Op::Cancel(var) => format!("// p[{var}] is cancelled, which JavaScript cannot"),
    };
    line(text, depth, &content);
}

fn settled(outcome: &Outcome) -> String {
    match outcome {
        Ok(value) => format!("Promise.resolve({value})"),
        Err(reason) => format!("Promise.reject(\"{reason}\")"),
    }
}

fn source(source: Source) -> String {
    if source.keep { format!("p[{}]", source.var) } else { format!("take({})", source.var) }
}

fn link(text: &mut String, depth: usize, link: &Link) {
    match link {
        Link::Map => line(text, depth, ".then(x => x + 1);"),
        Link::RoundTrip => line(text, depth, ".then(x => [x], why => [x => x, why]).then(unwrap);"),
        Link::Then(handler) => {
            line(text, depth, ".then(x => {");
            self::handler(text, depth, handler, Received::Value);
            line(text, depth, "});");
        }
        Link::Catch(handler) => {
            line(text, depth, ".catch(x => {");
            self::handler(text, depth, handler, Received::Reason);
            line(text, depth, "});");
        }
        Link::ThenOr(fulfilled, rejected) => {
            line(text, depth, ".then(x => {");
            self::handler(text, depth, fulfilled, Received::Value);
            line(text, depth, "}, x => {");
            self::handler(text, depth, rejected, Received::Reason);
            line(text, depth, "});");
        }
        Link::Handle(handler) => {
            line(text, depth, ".then(...both((x, isReason) => {");
            self::handler(text, depth, handler, Received::Either);
            line(text, depth, "}));");
        }
        Link::Finally(handler) => {
            line(text, depth, ".finally(() => {");
            self::handler(text, depth, handler, Received::Nothing);
            line(text, depth, "});");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Received {
    Value,
    Reason,
    Either,
    Nothing,
    Attempt,
}

fn handler(text: &mut String, depth: usize, handler: &Handler, received: Received) {
    let depth = depth + 1;
    let id = handler.body.id;
    line(
        text,
        depth,
        &match received {
            Received::Value => format!("log(\"h{id}\", x);"),
            Received::Reason => format!("log(\"h{id}\", no(x));"),
            Received::Either => format!("log(\"h{id}\", isReason ? no(x) : x);"),
            Received::Nothing => format!("log(\"h{id}\");"),
            Received::Attempt => format!("log(\"a{id}\");"),
        },
    );
    ops(text, depth, &handler.body.ops);
    let result = match (&handler.result, received) {
        (Return::Value(value), _) => format!("return {value};"),
        (Return::Same, Received::Value) => "return x;".into(),
        (Return::Same, Received::Reason) => "throw x;".into(),
        (Return::Same, Received::Either) => "if (isReason) throw x;\nreturn x;".into(),
        (Return::Same, Received::Attempt) => "return 0;".into(),
        (Return::Same, Received::Nothing) => "return;".into(),
        (Return::Throw(reason), _) => format!("throw \"{reason}\";"),
        (Return::Panic, _) => "throw \"panicked\";".into(),
        (Return::Promise(from), Received::Nothing) => {
            format!("return ({} ?? Promise.resolve(0)).then(() => {{}});", source(*from))
        }
        (Return::Promise(from), _) => format!("return {} ?? Promise.resolve(0);", source(*from)),
        (Return::Ready(value), _) => format!("return Promise.resolve({value});"),
    };
    for content in result.lines() {
        line(text, depth, content);
    }
}
