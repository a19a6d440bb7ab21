// What the page shows: the list, one transfer closely, and what a doctor found.

import { element } from "./dom.js";
import { destinations, group, secondsLeft, slowest, source, total } from "./model.js";
import { bar, chain, chart, kindOf } from "./pictures.js";
import { count, moment, place, rate, size, span } from "./words.js";

const STATES = {
  running: "runs",
  waiting: "waits for busy hosts",
  resumable: "failed, can be resumed",
  resting: "failed, waits for its other end",
  orphaned: "its worker died",
  finished: "finished",
};

export function list(told, paces) {
  const { running, queued, stuck, finished } = group(told.transfers);
  return [
    silence(told.silent),
    section("Running", running, paces, "Nothing runs."),
    queued.length > 0 && section("In the queue", queued, paces, ""),
    stuck.length > 0 && section("Waiting for somebody", stuck, paces, ""),
    section("Recent", finished, paces, "No minion keeps a record of an earlier one."),
    told.more > 0 && element("p.help", `${count(told.more, "older one")} not shown: salt-run transfer.list older=True tells of them.`),
    element("p.help.who", whose(told.viewer)),
  ];
}

function whose(viewer) {
  const name = viewer.name || "You";
  if (viewer.everything) return `${name}: sees all transfers.`;
  const opened = viewer.hosts.length ? `, and what is between ${viewer.hosts.join(", ")}` : "";
  return `${name}: sees the transfers that ${viewer.name || "you"} asked for${opened}.`;
}

function silence(hosts) {
  return hosts.length > 0 && element("p.warning", `${hosts.join(", ")} did not answer; what runs there is not known.`);
}

function section(title, transfers, paces, otherwise) {
  return element(
    "section",
    { "aria-label": title, "data-key": title },
    element("h2", title, " ", element("span.number", transfers.length)),
    transfers.length
      ? element("ul.cards", transfers.map((each) => card(each, paces)))
      : element("p.help", otherwise),
  );
}

function card(transfer, paces) {
  const { ends } = transfer;
  return element(
    `li.card.${transfer.state}`,
    { "data-key": transfer.transfer },
    element("a.open", { href: `#/transfer/${transfer.transfer}` }, way(ends)),
    state(transfer),
    transfer.state === "running" && progress(transfer, paces),
    transfer.waits && element("p.pace", transfer.waits.text),
    element("p.meta", meta(transfer)),
  );
}

function way(ends) {
  const from = source(ends);
  return [
    element("span.place", from ? place(from) : "?"),
    element("span.arrow", { "aria-label": "to" }, " → "),
    element("span.place", destinations(ends).map(place).join(", ")),
  ];
}

function state(transfer) {
  const results = [...new Set(transfer.ends.map((end) => end.phase).filter(Boolean))];
  const word = transfer.state === "finished" && results.length === 1 ? results[0] : STATES[transfer.state];
  return element(`p.state.${stateKind(transfer)}`, word ?? transfer.state, errors(transfer.ends));
}

function stateKind(transfer) {
  if (transfer.state === "running") return "busy";
  if (transfer.state === "waiting" && transfer.waits.followed) return "quiet";
  if (transfer.state !== "finished") return "bad";
  const kinds = transfer.ends.map(kindOf);
  return kinds.includes("bad") ? "bad" : kinds.includes("quiet") ? "quiet" : "good";
}

function errors(ends) {
  const names = [...new Set(ends.map((end) => end.error).filter(Boolean))];
  return names.length ? `: ${names.join(", ")}` : "";
}

function progress(transfer, paces) {
  const { ends } = transfer;
  const end = slowest(ends);
  const pace = paces.rate(keyOf(transfer.transfer, end));
  const left = secondsLeft(ends, pace);
  return [
    bar(end.bytes_done ?? 0, total(ends), `${place(end)} has`),
    element("p.pace", [end.phase, pace !== null && rate(pace), left !== null && `${span(left)} left`].filter(Boolean).join(" · ")),
  ];
}

export function keyOf(transfer, end) {
  return `${transfer} ${end.role} ${end.host}`;
}

function meta(transfer) {
  const words = [`${transfer.transfer.slice(0, 8)}…`];
  if (transfer.attempt > 1) words.push(`attempt ${transfer.attempt}`);
  if (transfer.asked_by?.user) words.push(`asked for by ${transfer.asked_by.user}`);
  if (transfer.began) words.push(`began ${moment(transfer.began)}`);
  return words.join(" · ");
}

// --- one transfer ----------------------------------------------------------------------------------------------------

export function transfer(told, paces) {
  const entry = told.transfers.find((each) => each.transfer === told.shown.transfer);
  const ends = inOrder(told.shown.ends, entry);
  return [
    element("p", element("a", { href: "#/" }, "← all transfers")),
    element("h2.way", way(ends)),
    element("p.id", "transfer ", element("code", told.shown.transfer)),
    entry && state(entry),
    told.shown.state === "running" && entry && progress({ ...entry, ends }, paces),
    silence(told.silent),
    told.shown.missing.map((sentence) => element("p.warning", sentence)),
    told.shown.waits ? queue(told.shown.waits) : course(told.shown, ends),
  ];
}

function queue(waits) {
  return block("In the queue", element("p", waits.text), element("p.help", waits.advice));
}

function course(shown, ends) {
  return [
    block("The chain", chain(ends)),
    outcome(shown.outcome),
    block("Throughput", chart(ends)),
    block("At each host", element("div.ends", ends.map(host))),
  ];
}

// As the list has them: in the order of the roster, and those that are silent too.
function inOrder(ends, entry) {
  const named = (entry?.ends ?? []).map((end) => ends.find((each) => isSame(each, end)) ?? end);
  return named.length ? named : ends;
}

function isSame(one, other) {
  return one.host === other.host && one.role === other.role;
}

function block(title, ...children) {
  return element("section", { "aria-label": title, "data-key": title }, element("h3", title), children);
}

function outcome(result) {
  if (!result) return [];
  return [
    block("Verdict", verdict(result), (result.reasons ?? []).map(reason)),
    result.receipt && block("Receipt", receipt(result.receipt)),
  ];
}

function verdict(result) {
  const kind = result.result === "ok" ? "good" : result.result === "cancelled" ? "quiet" : "bad";
  const slowestStage = result.bottleneck?.text;
  return [
    element(`p.verdict.${kind}`, result.result === "ok" ? "ok: what arrived is proved" : result.result),
    element("ul", Object.entries(result.destinations).map(([name, end]) =>
      element("li", { "data-key": name }, `${end.place}: ${end.outcome ?? end.result ?? "not known"}${figures(end)}`))),
    slowestStage && element("p.help", `Slowest: ${slowestStage}`),
  ];
}

function figures(end) {
  const seconds = end.seconds?.total;
  return seconds ? `, ${span(seconds)} in all, ${size(end.moved_bytes)} moved, ${size(end.wire_bytes)} on the way` : "";
}

function reason(each) {
  return element("p.reason", { "data-key": each.name }, element("code", `${each.code} ${each.name}`), ` ${each.text}`);
}

function receipt(told) {
  return facts([
    ["proved", told.proved ? `yes, by ${told.level}` : "no"],
    [`${told.algorithm} root`, told.root && element("code.root", told.root)],
    ["files", Number(told.files).toLocaleString("en")],
    ["directories", Number(told.directories).toLocaleString("en")],
    ["links", told.links],
    ["bytes", size(told.bytes)],
    ["trusted by size and time", told.trusted],
    ["left out", told.excluded],
    ["listed as skipped", told.skipped],
  ]);
}

function facts(rows) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== 0);
  return element("dl.facts", known.map(([name, value]) => [
    element("div", { "data-key": name }, element("dt", name), element("dd", value)),
  ]));
}

function host(end) {
  return element(
    `article.end.${kindOf(end)}`,
    { "data-key": `${end.role}-${end.host}`, "aria-label": `${end.role} ${end.host}` },
    element("h4", `${end.host} `, element("span.role", end.role)),
    facts([
      ["path", end.path && element("code", end.path)],
      ["phase", end.phase ?? "did not answer"],
      ["bytes", Number.isFinite(end.bytes_done) && `${size(end.bytes_done)} of ${size(end.bytes_total)}`],
      ["files", end.files_total && `${end.files_done.toLocaleString("en")} of ${end.files_total.toLocaleString("en")}`],
      ["read back", end.bytes_verified && size(end.bytes_verified)],
      ["limit", end.limit && rate(end.limit)],
    ].map(([name, value]) => [name, value || null])),
    stages(end.stages ?? {}),
  );
}

function stages(told) {
  const rows = Object.entries(told).filter(([, seconds]) => seconds >= 0.1).sort(([, one], [, other]) => other - one);
  if (!rows.length) return [];
  return element(
    "details",
    { "data-key": "stages" },
    element("summary", "Where its threads spent their time"),
    facts(rows.map(([name, seconds]) => [name.replace("_", " "), span(seconds)])),
  );
}

// --- the doctor ------------------------------------------------------------------------------------------------------

export function doctor(told) {
  const found = told.findings ?? [];
  return [
    element("h2", "Doctor"),
    silence(told.silent),
    found.length ? element("ul.cards", found.map(finding)) : element(...nothingFound(told.examined ?? [])),
    element("p.help", "What is left over goes by ", element("code", "salt-run transfer.sweep"), "; this page changes nothing."),
  ];
}

function nothingFound(examined) {
  return examined.length
    ? ["p.verdict.good", "Nothing is left over, and nothing is odd."]
    : ["p.verdict", "No host could be looked at, so what is left over is not known."];
}

function finding(each, index) {
  const about = [each.path, each.transfer && `transfer ${each.transfer}`, each.age && `${span(each.age)} old`,
    each.bytes && size(each.bytes)].filter(Boolean);
  return element(
    "li.card.finding",
    { "data-key": index },
    element("p", element("strong", each.host), ` ${each.what}`),
    about.length > 0 && element("p.meta", about.join(" · ")),
    each.advice && element("p", each.advice),
  );
}

export function trouble(reasons) {
  return element("div", { "data-key": "trouble" }, element("p", element("a", { href: "#/" }, "← all transfers")), reasons.map(reason));
}
