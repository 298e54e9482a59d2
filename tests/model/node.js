// Runs programs that tests/model/node.rs has printed: node node.js FILE prints the log of each.
'use strict';
// To find the stack of an error V8 walks from promise to promise, and in a ring of them it never ends.
Error.stackTraceLimit = 0;
const { readFileSync, writeSync } = require('node:fs');
const { inspect } = require('node:util');

const programs = [];
const program = (seed, ...turns) => programs.push({ seed, turns });
let p, r, lines, unhandled;

const text = why => (why instanceof TypeError && /cycle/i.test(why.message) ? 'cycle' : String(why));
const no = why => '!' + text(why);
const log = (name, ...what) => lines.push([name, ...what].join(' '));
const take = v => {
  const promise = p[v];
  p[v] = undefined;
  return promise;
};
const pending = v => {
  r[v] = {};
  p[v] = new Promise((resolve, reject) => Object.assign(r[v], { resolve, reject }));
};
const abandon = v => {
  r[v]?.reject('abandoned');
  r[v] = undefined;
};
const state = v => {
  if (!p[v]) return;
  const shown = inspect(p[v]);
  log(`p${v}`, /^Promise \{\s*<(pending|rejected)>/.exec(shown)?.[1] ?? 'fulfilled');
};
const both = f => [x => f(x, false), x => f(x, true)];
const unwrap = outcome => {
  if (outcome.length > 1) throw outcome[1];
  return outcome[0];
};
const fold = values => values.reduce((sum, value) => (sum * 31 + value) % 1000003, 7);
const foldText = why => fold([...Buffer.from(text(why))]);
const foldSettled = all => fold(all.map(one => (one.status === 'fulfilled' ? one.value : foldText(one.reason))));
const aggregate = why => {
  throw 'any' + fold(why.errors.map(foldText));
};

const attempt = f => new Promise(resolve => resolve(f()));

// A later turn may handle what one before did not.
process.on('unhandledRejection', (why, promise) => unhandled.set(promise, text(why)));
process.on('rejectionHandled', promise => unhandled.delete(promise));

let out = '';
const flush = () => {
  // A pipe may be full for a moment.
  while (out) {
    try {
      out = out.slice(writeSync(1, out));
    } catch (why) {
      if (why.code !== 'EAGAIN') throw why;
    }
  }
};

// As the other runners do: the program, then what is left pending is abandoned until nothing is.
let nth = 0;
const next = () => {
  if (nth === programs.length) return flush();
  [p, r, lines, unhandled] = [[], [], [], new Map()];
  turn(0);
};
const turn = at => {
  if (at === programs[nth].turns.length) return round();
  programs[nth].turns[at]();
  setImmediate(turn, at + 1);
};
const round = () => {
  p = [];
  const rest = r.filter(Boolean);
  if (rest.length) {
    r = [];
    for (const resolver of rest) resolver.reject('abandoned');
    return setImmediate(round);
  }
  out += `${programs[nth].seed}:\n`;
  for (const line of lines) out += `  ${line}\n`;
  for (const why of [...unhandled.values()].sort()) out += `  unhandled ${why}\n`;
  if (out.length > 60000) flush();
  nth += 1;
  setImmediate(next);
};

eval(readFileSync(process.argv[2], 'utf8'));
next();
