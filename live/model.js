// What follows from the numbers that come in: how fast, how far, how long still. Nothing here touches the page.

const WINDOW = 10;

// Remembers how far each end was when, for as long as the page is open; a rate is over the last seconds.
export class Paces {
  #seen = new Map();

  note(key, at, bytes) {
    const known = this.#seen.get(key) ?? [];
    if (known.length && bytes < known.at(-1).bytes) known.length = 0;
    known.push({ at, bytes });
    while (known.length > 2 && at - known[0].at > WINDOW) known.shift();
    this.#seen.set(key, known);
  }

  rate(key) {
    const known = this.#seen.get(key) ?? [];
    return known.length < 2 ? null : slope(known[0], known.at(-1));
  }
}

function slope(from, to) {
  return to.at > from.at ? (to.bytes - from.bytes) / (to.at - from.at) : null;
}

export function source(ends) {
  return ends.find((end) => end.role === "source");
}

export function destinations(ends) {
  return ends.filter((end) => end.role === "destination");
}

// The end that has least of it tells how far a transfer is.
export function slowest(ends) {
  const told = destinations(ends).filter((end) => Number.isFinite(end.bytes_done));
  return told.sort((one, other) => one.bytes_done - other.bytes_done)[0] ?? source(ends);
}

export function total(ends) {
  return Math.max(0, ...ends.map((end) => end.bytes_total ?? 0));
}

export function secondsLeft(ends, rate) {
  const end = slowest(ends);
  return rate > 0 && end ? Math.max(0, total(ends) - end.bytes_done) / rate : null;
}

// A curve of bytes becomes the rate between each two of its points: [{at, rate}], at the middle between them.
export function throughput(curve) {
  const points = curve.filter((point) => point.length === 2 && point.every(Number.isFinite));
  return points.slice(1).map(([at, bytes], index) => {
    const [before, had] = points[index];
    return { at: (before + at) / 2, rate: at > before ? Math.max(0, bytes - had) / (at - before) : 0 };
  });
}

// The bytes a second from the first to the last point of a curve.
export function mean(curve) {
  const points = curve.filter((point) => point.length === 2 && point.every(Number.isFinite));
  if (points.length < 2) return 0;
  const [[began, had], [ended, has]] = [points[0], points.at(-1)];
  return ended > began ? Math.max(0, has - had) / (ended - began) : 0;
}

export function group(transfers) {
  const of = (...states) => transfers.filter((each) => states.includes(each.state));
  return {
    running: of("running"),
    queued: of("waiting"),
    stuck: of("resumable", "resting", "orphaned"),
    finished: of("finished"),
  };
}
