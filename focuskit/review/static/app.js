// The light table: puts the parts together and does what keys and buttons ask for.

import { get } from "./api.js";
import { Compare } from "./compare.js";
import { byId, recall, remember, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { actionOf, fillKeyList } from "./keys.js";
import { Large } from "./large.js";
import { Pictures } from "./pictures.js";
import { Session } from "./session.js";
import { Store } from "./store.js";
import { capital, describe, plural, setWords } from "./words.js";
import { WriteBack } from "./writeback.js";

const { library, first } = JSON.parse(byId("begin").textContent);
const store = new Store(library), session = new Session(), filters = new Filters(library);
const pictures = new Pictures(40), fulls = new Pictures(6);
const grid = new Grid(byId("scroller"), byId("table"), store, session);
const large = new Large(store, session, pictures, fulls), compare = new Compare(store, session, pictures, fulls);
const writeBack = new WriteBack(library);
const views = { grid: byId("grid"), large: byId("large"), compare: byId("compare") };
let view = "grid", before = "grid", auto = recall("auto", "") === "on", asked = null;

function say(text, alarm = false) {
  const said = byId("said");
  // The same words twice would be read once.
  said.textContent = said.textContent === text ? `${text}\u00a0` : text;
  said.classList.toggle("alarm", alarm);
}

// What is listed.

async function list(answer) {
  session.list(store.take(answer), answer.total);
  byId("nothing").hidden = session.ids.length > 0;
  byId("refresh").hidden = true;
  tellListed();
}

async function ask() {
  asked?.abort();
  asked = new AbortController();
  byId("table").setAttribute("aria-busy", "true");
  try {
    const answer = await get(`/api/shots${filters.query}`, asked.signal);
    list(answer);
    grid.show();
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error.message, true);
  }
  byId("table").removeAttribute("aria-busy");
}

function tellListed() {
  const { size } = session.chosen;
  setText(byId("listed"), `${plural(session.total, "photo")}${size ? ` · ${size.toLocaleString("en")} chosen` : ""}`);
  const bar = byId("chosen-bar"), shown = !bar.hidden;
  bar.hidden = size < 2;
  // The bar takes room from the table: what one stands on stays in sight.
  if (bar.hidden === shown && view === "grid") grid.show();
}

/** Photos that no longer fit stay where they are until one asks: nothing moves under the hand. */
function tellOutdated(ids) {
  if (filters.plain) return;
  const out = ids.filter(id => session.index(id) >= 0 && !filters.fits(store.tile(id)));
  if (!out.length) return;
  byId("refresh").hidden = false;
  setText(byId("refresh"), "Some no longer fit the filter: list again");
}

// Views.

function show(wanted) {
  if (wanted === view) return;
  if (view === "large") large.leave();
  if (view === "compare") compare.stop();
  view = wanted;
  document.body.dataset.view = wanted;
  for (const [name, section] of Object.entries(views)) section.hidden = name !== wanted;
  if (wanted === "grid") grid.show(true);
  if (wanted === "large") {
    large.draw();
    large.pane.element.focus({ preventScroll: true });
  }
}

/** Open a view so that the browser's way back leads out of it. */
function enter(wanted) {
  if (session.at === null) return;
  if (view === "grid") history.pushState({ view: wanted }, "");
  before = view;
  show(wanted);
}

function toGrid() {
  if (view === "grid") return;
  show("grid");
  if (history.state?.view) history.back();
}

function leave() {
  if (view === "compare" && before === "large") show("large");
  else toGrid();
}

function openCompare() {
  if (view === "compare") return leave();
  const ids = compare.candidates();
  if (ids.length < 2) return say("There is no second photo to compare with.");
  enter("compare");
  compare.start(ids);
  return say(`Comparing ${ids.length} frames`);
}

// Decisions.

function targets() {
  if (view === "compare") return [compare.at];
  if (view === "large") return [session.at];
  if (session.chosen.size) return session.ids.filter(id => session.chosen.has(id));
  return session.closedSet(session.at)?.shots ?? [session.at];
}

function whom(ids) {
  if (ids.length === 1) return store.tile(ids[0]).name;
  const set = view === "grid" && !session.chosen.size && session.closedSet(ids[0]);
  return set ? `a ${setWords(set.kind, ids.length).toLowerCase()}` : plural(ids.length, "photo");
}

/** Say the same of all that is meant; then go on, if that is wished and it was one photo. */
function decide(said, words, done, onward) {
  const ids = targets().filter(id => id !== null);
  if (!ids.length) return;
  const [[field, value]] = Object.entries(said);
  const changes = ids.filter(id => store.tile(id)[field] !== value).map(id => ({ id, ...said }));
  if (changes.length) store.change(changes, `${words} ${whom(ids)}`);
  say(`${changes.length ? done : `${done} already:`} ${whom(ids)}`);
  if (onward && !session.chosen.size && view !== "compare") next(1);
}

const all = (field, value) => targets().every(id => id !== null && store.tile(id)[field] === value);

function label(colour, onward) {
  const words = all("label", colour) ? `no ${colour} label on` : `${colour} label on`;
  decide({ label: all("label", colour) ? "" : colour }, words, capital(words), onward);
}

function stars(n, onward, clicked) {
  // A click on the last star that is lit puts all of them out.
  const wanted = clicked && all("stars", n) ? 0 : n;
  const words = wanted ? `${plural(wanted, "star")} for` : "no stars for";
  decide({ stars: wanted }, words, capital(words), onward);
}

function next(by) {
  if (view === "grid") grid.move(by, 0, false);
  else if (view === "compare") compare.exchange(by);
  else if (!session.step(by)) say(by > 0 ? "This is the last photo." : "This is the first photo.");
}

function across(by) {
  if (view === "compare") compare.step(by);
  else next(by);
}

function upDown(by) {
  if (view === "grid") grid.move(0, by, false);
  else if (view === "compare") compare.exchange(by);
  else session.stepSet(by);
}

function pressed(act, on) {
  for (const button of document.querySelectorAll(`[data-act="${act}"]`)) button.setAttribute("aria-pressed", on);
}

function setAuto(on) {
  auto = on;
  remember("auto", on ? "on" : "");
  pressed("auto", on);
}

function overlay() {
  const on = (view === "compare" ? compare : large).toggleOverlay();
  pressed("overlay", on);
  say(on ? "Blur map: in focus is bright and outlined" : "Photo without the map");
}

function stack() {
  const found = session.toggleOpen(session.at);
  if (!found) return say("This photo is not part of a set.");
  grid.show(true);
  return say(`${setWords(found.set.kind, found.set.shots.length)} ${found.closed ? "closed" : "opened"}`);
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => say("This browser allows no full screen here.", true));
}

function more(by) {
  if (view === "compare") {
    if (by > 0) compare.more();
    else compare.fewer();
  } else if (view === "large") large.zoomBy(by > 0 ? 1.4 : 1 / 1.4);
  else setSize(Number(byId("size").value) + by * 30);
}

function setSize(px) {
  byId("size").value = px;
  grid.resize(Number(byId("size").value));
  remember("size", byId("size").value);
}

function escape() {
  if (view === "grid") session.choose([]);
  else leave();
}

const inGrid = deed => () => view === "grid" && deed();

const DEEDS = {
  left: () => across(-1), right: () => across(1), up: () => upDown(-1), down: () => upDown(1),
  next: () => next(1), previous: () => next(-1),
  first: () => (view === "grid" ? grid.edge(false) : session.go(session.ids[0])),
  last: () => (view === "grid" ? grid.edge(true) : session.go(session.ids.at(-1))),
  "page-up": inGrid(() => grid.page(-1)), "page-down": inGrid(() => grid.page(1)),
  "extend-left": inGrid(() => grid.move(-1, 0, true)), "extend-right": inGrid(() => grid.move(1, 0, true)),
  "extend-up": inGrid(() => grid.move(0, -1, true)), "extend-down": inGrid(() => grid.move(0, 1, true)),
  open: () => (view === "large" ? leave() : enter("large")), grid: escape,
  zoom: () => (view === "grid" ? (enter("large"), store.details(session.at).then(() => large.zoom(), () => {})) : say((view === "large" ? large : compare).zoom())),
  overlay: () => view !== "grid" && overlay(),
  points: () => { const off = large.togglePoints(); pressed("points", !off); say(off ? "Focus points hidden" : "Focus points shown"); },
  compare: openCompare, stack, full: fullScreen, more: () => more(1), fewer: () => more(-1),
  pick: onward => decide({ pick: "keeper" }, "pick", "Picked", onward),
  reject: onward => decide({ pick: "reject" }, "reject", "Rejected", onward),
  unset: onward => decide({ pick: "unset" }, "unset", "Unset", onward),
  reset: onward => decide({ pick: null }, "focuskit’s verdict for", "focuskit’s verdict for", onward),
  undo: () => store.undo(), redo: () => store.redo(),
  all: inGrid(() => session.choose(session.ids)), none: () => session.choose([]),
  find: () => { toGrid(); byId("text").focus(); },
  write: () => writeBack.open(), keys: () => byId("keys").showModal(), auto: () => setAuto(!auto),
};
for (let n = 0; n <= 5; n += 1) DEEDS[`stars-${n}`] = (onward, clicked) => stars(n, onward, clicked);
for (const colour of ["red", "yellow", "green", "blue", "purple"]) DEEDS[`label-${colour}`] = onward => label(colour, onward);

/** Do a deed by name; what ends in "+next" goes on whatever the setting. */
function act(name, onward, clicked = false) {
  const [deed, then] = name.split("+");
  DEEDS[deed](onward || then === "next", clicked);
}

// What is heard.

document.addEventListener("keydown", event => {
  const { target } = event;
  if (document.querySelector("dialog[open]")) {
    if (event.key === "?" && byId("keys").open) byId("keys").close();
    return;
  }
  if (target.matches("input:not([type=range]), select, textarea")) {
    if (event.key === "Escape" || (event.key === "Enter" && target.id === "text")) grid.show(true);
    return;
  }
  // Buttons keep the keys that press them, the slider those that move it.
  if (target.matches("button, a") && (event.key === " " || event.key === "Enter")) return;
  if (target.matches("[type=range]") && event.key.startsWith("Arrow")) return;
  const name = actionOf(event);
  if (!name) return;
  event.preventDefault();
  act(name, auto || event.getModifierState("CapsLock"));
});

document.addEventListener("click", event => {
  const button = event.target.closest("[data-act], [data-close]");
  if (!button) return;
  if ("close" in button.dataset) button.closest("dialog").close();
  else act(button.dataset.act, auto, true);
});

for (const dialog of document.querySelectorAll("dialog"))
  dialog.addEventListener("click", event => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect(), { clientX: x, clientY: y, target } = event;
    // Keys press buttons too: such clicks come from nowhere.
    if (target === dialog && event.detail > 0 && (x < left || x > right || y < top || y > bottom)) dialog.close();
  });

grid.addEventListener("open", event => { session.go(event.detail); enter("large"); });
grid.addEventListener("stack", event => { session.go(event.detail); stack(); });
session.addEventListener("chosen", tellListed);
session.addEventListener("at", () => view === "large" && say(describe(store.tile(session.at))));
filters.addEventListener("filter", ask);
byId("refresh").addEventListener("click", ask);
byId("retry").addEventListener("click", () => store.retry());
byId("size").addEventListener("input", event => setSize(event.target.value));
// Which frames were compared is not kept: forward leads to the photo.
addEventListener("popstate", () => show(history.state?.view ? "large" : "grid"));

store.addEventListener("said", event => say(event.detail.text, event.detail.alarm));
store.addEventListener("change", event => { tellOutdated(event.detail); tellUndo(); });
store.addEventListener("counts", event => { filters.know(event.detail); tellUndo(); });
store.addEventListener("reload", () => { store.count(); ask(); });
store.addEventListener("saving", event => {
  const { pending, busy, trouble } = event.detail;
  byId("trouble").hidden = !trouble;
  setText(byId("trouble-text"), trouble && `${trouble} ${plural(pending, "change")} waiting; they are tried again by themselves.`);
  setText(byId("saved"), trouble ? `${pending} not saved` : busy ? "Saving…" : "All saved");
  tellUndo();
});

function tellUndo() {
  const undo = store.undoText, redo = store.redoText;
  byId("undo").disabled = !undo && !store.pending;
  byId("redo").disabled = !redo;
  byId("undo").title = `${undo ?? "Undo"} (Ctrl+Z)`;
  byId("redo").title = `${redo ?? "Redo"} (Ctrl+Shift+Z)`;
}

// Where one was is kept for this tab, so that a reload leads back there.

const PLACE = `focuskit-review-place-${library.name}`;

addEventListener("pagehide", () => {
  try {
    sessionStorage.setItem(PLACE, JSON.stringify({ at: session.at, view, wanted: filters.wanted }));
  } catch {
    // Then a reload begins at the first photo.
  }
});

function place() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE)) ?? {};
  } catch {
    return {};
  }
}

async function begin() {
  const { at, view: was, wanted } = place();
  fillKeyList();
  setAuto(auto);
  pressed("points", true);
  setSize(Number(recall("size", innerWidth < 600 ? 170 : 230)));
  if (wanted) filters.restore(wanted);
  // The first rows came with the page: they are there while the rest is asked for.
  if (filters.plain) list(first);
  if (session.ids.length < first.total || !filters.plain) await ask();
  if (at !== undefined) session.go(at);
  if (was === "large" && history.state?.view) show("large");
  grid.show(view === "grid");
  setText(byId("saved"), "All saved");
  tellUndo();
  store.listen();
}

begin();
