// The workloads on JavaScript's promises: native ones, or bluebird's if the last argument says where that is.
// node node.js WORKLOAD SIZE WARM_UP_MS MEASURE_MS [BLUEBIRD]; prints nanoseconds per operation (or bytes) of each run.
'use strict';

const [workload, sizeText, warmUp, measure, bluebird] = process.argv.slice(2);
const size = Number(sizeText);
const P = bluebird ? require(bluebird) : Promise;

// 0 + 1 + .. without `count` itself.
const below = (count) => (count * (count - 1)) / 2;

function withResolvers() {
  let resolve;
  const promise = new P((r) => { resolve = r; });
  return { promise, resolve };
}

async function chainsOf10(links) {
  let sum = 0;
  for (let start = 0; start < links / 10; start++) {
    let promise = P.resolve(start);
    for (let step = 0; step < 10; step++) {
      promise = promise.then((n) => n + step);
    }
    sum += await promise;
  }
  return sum;
}

async function longChain(links) {
  let { promise, resolve } = withResolvers();
  for (let link = 0; link < links; link++) {
    promise = promise.then((n) => n + 1);
  }
  resolve(0);
  return promise;
}

async function settle(count) {
  let sum = 0;
  for (let n = 0; n < count; n++) {
    const { promise, resolve } = withResolvers();
    resolve(n);
    sum += await promise;
  }
  return sum;
}

async function fanOut(count) {
  let run = 0;
  const { promise, resolve } = withResolvers();
  for (let handler = 0; handler < count; handler++) {
    promise.then((n) => { run += n; });
  }
  const last = promise.then(() => run);
  resolve(1);
  return last;
}

async function all(count) {
  const promises = [];
  const resolvers = [];
  for (let n = 0; n < count; n++) {
    const { promise, resolve } = withResolvers();
    promises.push(promise);
    resolvers.push(resolve);
  }
  const all = P.all(promises);
  resolvers.forEach((resolve, n) => resolve(n));
  return (await all).reduce((sum, n) => sum + n, 0);
}

async function trivial(n) {
  return n;
}

async function spawn(count) {
  const calls = [];
  for (let n = 0; n < count; n++) calls.push(trivial(n));
  let sum = 0;
  for (const call of calls) sum += await call;
  return sum;
}

const QUERIES = 25;

// A database, a blob store: every operation answers with what it was given, at once or after a timer.
const atOnce = (answer) => P.resolve(answer);
const afterTimer = (answer) => new P((resolve) => { setTimeout(resolve, 1, answer); });

// put blob, get file, insert version, create query, execute it, insert file version, update file, commit.
function upload(request, ask) {
  let version, file;
  return ask(request)
    .then((blob) => {
      version = blob + 1;
      return ask(undefined);
    })
    .then((found) => {
      file = found;
      return ask(version);
    })
    .then(() => {
      if (file !== undefined) return file;
      let id;
      return ask(version + 1)
        .then((query) => {
          id = query;
          return ask(query);
        })
        .then(() => id);
    })
    .then((id) => {
      file = id;
      return ask(undefined);
    })
    .then(() => ask(file + version))
    .then((sum) => ask(sum))
    .catch((why) => ask(why).then((why) => { throw why; }));
}

async function uploadAsync(request, ask) {
  const version = (await ask(request)) + 1;
  let file = await ask(undefined);
  await ask(version);
  if (file === undefined) {
    const query = await ask(version + 1);
    file = await ask(query);
  }
  await ask(undefined);
  const sum = await ask(file + version);
  return ask(sum);
}

async function doxbee(requests, ask, upload) {
  const uploads = [];
  for (let request = 0; request < requests; request++) uploads.push(upload(request, ask));
  return (await P.all(uploads)).reduce((sum, n) => sum + n, 0);
}

const uploaded = (requests) => 2 * below(requests) + 3 * requests;

function insert(request, ask) {
  const queries = [];
  for (let query = 0; query < QUERIES; query++) queries.push(ask(query + request));
  return P.all(queries)
    .then((rows) => ask(rows.reduce((sum, n) => sum + n, 0)))
    .catch((why) => ask(why).then((why) => { throw why; }));
}

async function parallel(requests, ask) {
  const inserts = [];
  for (let request = 0; request < requests; request++) inserts.push(insert(request, ask));
  return (await P.all(inserts)).reduce((sum, n) => sum + n, 0);
}

const inserted = (requests) => QUERIES * below(requests) + (requests * QUERIES * (QUERIES - 1)) / 2;

async function timers(count) {
  const delays = [];
  for (let n = 0; n < count; n++) {
    delays.push(new P((resolve) => { setTimeout(resolve, Math.floor((n * 1000) / count)); }));
  }
  let fired = 0;
  for (const delay of delays) {
    await delay;
    fired++;
  }
  return fired;
}

function withThen() {
  const { promise, resolve } = withResolvers();
  return { promise: promise.then((n) => n + 1), resolve };
}

// How much the resident memory grows per item, the arrays that hold it included. Needs --expose-gc.
function memory(count, make) {
  global.gc();
  const before = process.memoryUsage().rss;
  const promises = [];
  const resolvers = [];
  for (let n = 0; n < count; n++) {
    const { promise, resolve } = make();
    promises.push(promise);
    resolvers.push(resolve);
  }
  global.gc();
  const grown = process.memoryUsage().rss - before;
  if (promises.length !== resolvers.length) throw new Error('lost one');
  return grown / count;
}

const wall = (work, expected) => async () => {
  const start = process.hrtime.bigint();
  const outcome = await work();
  const took = process.hrtime.bigint() - start;
  if (outcome !== expected) throw new Error(`${outcome} instead of ${expected}`);
  return Number(took) / size;
};

const cpu = (work, expected) => async () => {
  const start = process.cpuUsage();
  const outcome = await work();
  const { user, system } = process.cpuUsage(start);
  if (outcome !== expected) throw new Error(`${outcome} instead of ${expected}`);
  return ((user + system) * 1000) / size;
};

const WORKLOADS = {
  chains_of_10: () => wall(() => chainsOf10(size), below(size / 10) + (size / 10) * 45),
  long_chain: () => wall(() => longChain(size), size),
  settle: () => wall(() => settle(size), below(size)),
  fan_out: () => wall(() => fanOut(size), size),
  all: () => wall(() => all(size), below(size)),
  spawn: () => wall(() => spawn(size), below(size)),
  doxbee: () => wall(() => doxbee(size, atOnce, upload), uploaded(size)),
  doxbee_async: () => wall(() => doxbee(size, atOnce, uploadAsync), uploaded(size)),
  parallel: () => wall(() => parallel(size, atOnce), inserted(size)),
  doxbee_timers: () => wall(() => doxbee(size, afterTimer, upload), uploaded(size)),
  parallel_timers: () => wall(() => parallel(size, afterTimer), inserted(size)),
  timers: () => cpu(() => timers(size), size),
};

async function main() {
  if (workload === 'memory') return console.log(memory(size, withResolvers));
  if (workload === 'memory_then') return console.log(memory(size, withThen));
  const run = WORKLOADS[workload]();
  const until = (limit) => {
    const start = Date.now();
    return () => Date.now() - start < Number(limit);
  };
  for (let more = until(warmUp); more();) await run();
  for (let more = until(measure); more();) console.log(await run());
}

main();
