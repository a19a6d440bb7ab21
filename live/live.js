// The page: who is signed in, which view is asked for, and when to ask again.

import { forget, login, logout, overview, signedIn, SignedOut } from "./api.js";
import { show } from "./dom.js";
import { Paces } from "./model.js";
import { doctor, keyOf, list, transfer, trouble } from "./views.js";

const BUSY_PAUSE = 2000;
const IDLE_PAUSE = 10000;
const TROUBLE_PAUSE = 5000;
const DOCTOR_PAUSE = 60000;
const ALL = { asked: {}, show: list, pause: IDLE_PAUSE };

const part = (id) => document.getElementById(id);
const paces = new Paces();
let round = 0;
let timer;

// What the address asks for: an anchor, so that every view can be linked to and the back button works.
function wanted() {
  const [, name, id] = location.hash.split("/");
  if (name === "transfer" && /^[0-9a-f]{32}$/.test(id ?? "")) return { asked: { transfer: id }, show: transfer, pause: IDLE_PAUSE };
  return name === "doctor" ? { asked: { doctor: true }, show: doctor, pause: DOCTOR_PAUSE } : ALL;
}

// Answers that come after the view has changed are not for it.
async function refresh() {
  const mine = ++round;
  clearTimeout(timer);
  if (!signedIn()) return askWho();
  const view = wanted();
  try {
    const told = await overview(view.asked);
    if (mine !== round) return;
    note(told);
    present(view, told);
    next(pause(view, told));
  } catch (why) {
    if (mine === round) cope(why);
  }
}

function present(view, told) {
  part("login").hidden = true;
  part("nav").hidden = false;
  const incomplete = view.asked.transfer && !told.shown;
  show(part("view"), incomplete || told.viewer === undefined ? trouble(told.reasons ?? []) : view.show(told, paces));
  mark();
  say(`Updated ${new Date().toLocaleTimeString()}`, false);
}

function mark() {
  const here = location.hash === "#/doctor" ? "#/doctor" : "#/";
  for (const link of part("nav").querySelectorAll("a")) {
    if (link.getAttribute("href") === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function note(told) {
  const at = performance.now() / 1000;
  for (const each of told.transfers ?? []) {
    for (const end of each.ends) if (Number.isFinite(end.bytes_done)) paces.note(keyOf(each.transfer, end), at, end.bytes_done);
  }
}

function pause(view, told) {
  const busy = (told.transfers ?? []).some((each) => each.state === "running");
  return busy ? Math.min(BUSY_PAUSE, view.pause) : view.pause;
}

function next(milliseconds) {
  if (!document.hidden) timer = setTimeout(refresh, milliseconds);
}

function cope(why) {
  if (why instanceof SignedOut) return askWho();
  say(`${why.message}. Trying again.`, true);
  next(TROUBLE_PAUSE);
}

function askWho() {
  show(part("view"));
  part("nav").hidden = true;
  part("login").hidden = false;
  say("", false);
  part("username").focus();
}

// Said aloud by readers of the screen only where something is wrong: not every few seconds that all is well.
function say(text, isTrouble) {
  const news = part("news");
  news.setAttribute("aria-live", isTrouble ? "assertive" : "off");
  news.className = isTrouble ? "warning" : "";
  news.textContent = text;
}

part("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const { username, password, eauth } = Object.fromEntries(new FormData(form));
  part("refusal").textContent = "";
  form.querySelector("button").disabled = true;
  try {
    await login({ username, password, eauth });
    form.elements.password.value = "";
    await refresh();
    part("main").focus();
  } catch (why) {
    part("refusal").textContent = why instanceof SignedOut ? "These are not known. Try again." : why.message;
  } finally {
    form.querySelector("button").disabled = false;
  }
});

part("leave").addEventListener("click", async () => {
  await logout().catch(forget);
  refresh();
});

window.addEventListener("hashchange", () => {
  if (location.hash === "#main") return;
  refresh();
  part("main").focus();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();
