// The chain of hosts and the throughput over time, as pictures; each says in words what it shows.

import { element } from "./dom.js";
import { destinations, mean, source, throughput, total } from "./model.js";
import { rate, share, size, span } from "./words.js";

const WIDTH = 640;
const HEIGHT = 220;
const EDGE = { left: 12, right: 12, top: 30, bottom: 30 };
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

export function chain(ends) {
  const all = total(ends);
  const nodes = [source(ends), ...destinations(ends)].filter(Boolean);
  return element(
    "ol.chain",
    { "aria-label": "Hosts of this transfer, from the source on" },
    nodes.map((end) => link(end, all)),
  );
}

function link(end, all) {
  const done = end.role === "source" || end.phase === "published" ? 100 : share(end.bytes_done ?? 0, all);
  return element(
    `li.link.${kindOf(end)}`,
    { "data-key": `${end.role}-${end.host}` },
    element("svg", { viewBox: "0 0 40 40", "aria-hidden": "true" }, ring(done)),
    element("span.host", end.host),
    element("span.phase", end.phase ?? "silent"),
    element("span.done", end.role === "source" ? "source" : `${done} %`),
  );
}

function ring(done) {
  const around = 2 * Math.PI * 16;
  const part = `${(around * done) / 100} ${around}`;
  return [
    element("circle.track", { cx: 20, cy: 20, r: 16 }),
    element("circle.ring", { cx: 20, cy: 20, r: 16, "stroke-dasharray": part, transform: "rotate(-90 20 20)" }),
  ];
}

export function kindOf(end) {
  if (end.phase === "published") return "good";
  if (end.phase === "failed") return "bad";
  if (end.phase === "cancelled" || end.phase === null || end.phase === undefined) return "quiet";
  return end.alive ? "busy" : "bad";
}

export function chart(ends) {
  const lines = series(ends);
  if (!lines.length) return element("p.help", "No throughput to show: too little has moved, or it was over too soon.");
  const last = Math.max(...lines.flatMap((line) => line.points.map((point) => point.at)));
  const most = Math.max(1, ...lines.flatMap((line) => line.points.map((point) => point.rate)));
  return element("figure", picture(lines, last, most), legend(lines), numbers(lines));
}

function series(ends) {
  const told = ends.map((end) => ({ end, points: throughput(end.curve ?? []) })).filter((each) => each.points.length);
  const received = told.filter((each) => each.end.role === "destination");
  return received.length ? received : told;
}

function picture(lines, last, most) {
  const about = lines.map((line) => `${line.end.host}: ${summary(line)}`).join("; ");
  return element(
    "svg.chart",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Throughput over ${span(last)}. ${about}` },
    grid(last, most),
    lines.map((line, index) => stroke(line, index, last, most)),
  );
}

function summary({ end, points }) {
  const rates = points.map((point) => point.rate);
  return `${rate(mean(end.curve))} on average, at most ${rate(Math.max(...rates))}`;
}

function across(at, last) {
  return EDGE.left + (at / Math.max(last, 0.001)) * (WIDTH - EDGE.left - EDGE.right);
}

function down(value, most) {
  return HEIGHT - EDGE.bottom - (value / most) * (HEIGHT - EDGE.top - EDGE.bottom);
}

function grid(last, most) {
  const levels = [0, 0.5, 1].map((part) => level(part * most, most));
  const ends = [0, last].map((at, index) =>
    element("text", { x: across(at, last), y: HEIGHT - 8, "text-anchor": index ? "end" : "start" }, span(at)),
  );
  return [...levels, ...ends];
}

function level(value, most) {
  const y = down(value, most);
  return element(
    "g",
    element("line.grid", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y }),
    value > 0 && element("text", { x: EDGE.left, y: y - 5 }, rate(value)),
  );
}

function stroke(line, index, last, most) {
  const dash = DASHES[index % DASHES.length];
  const places = line.points.map(({ at, rate: value }) => `${across(at, last).toFixed(1)},${down(value, most).toFixed(1)}`);
  const kind = `curve.curve-${index % DASHES.length}`;
  if (places.length === 1) {
    const [x, y] = places[0].split(",");
    return element(`circle.${kind}`, { cx: x, cy: y, r: 3 });
  }
  return element(`polyline.${kind}`, { points: places.join(" "), "stroke-dasharray": dash || null });
}

function legend(lines) {
  return element(
    "figcaption",
    lines.map((line, index) => element(`span.key.key-${index % DASHES.length}`, `${line.end.host}: ${summary(line)}`)),
  );
}

function numbers(lines) {
  const rows = lines.flatMap((line) =>
    line.points.map((point) =>
      element("tr", element("td", line.end.host), element("td", span(point.at)), element("td", rate(point.rate))),
    ),
  );
  return element(
    "details",
    { "data-key": "numbers" },
    element("summary", "The same as numbers"),
    element("div.scrolls", { tabindex: 0, role: "region", "aria-label": "Throughput as numbers" },
      element("table", element("thead", element("tr", head("host"), head("after"), head("rate"))), element("tbody", rows))),
  );
}

function head(text) {
  return element("th", { scope: "col" }, text);
}

export function bar(done, all, label) {
  const part = share(done, all);
  return element(
    "div.bar",
    { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": part },
    element("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      element("rect.track", { x: 0, y: 0, width: 100, height: 6 }),
      element("rect.filled", { x: 0, y: 0, width: part, height: 6 })),
    element("span", `${part} %`),
    element("span.of", `${size(done)} of ${size(all)}`),
  );
}
