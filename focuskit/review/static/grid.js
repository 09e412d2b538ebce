// The table of thumbnails: only the rows in sight are in the page, and they are used again.

import { clamp, icon, make, setIcon, setText } from "./dom.js";
import { layOut } from "./layout.js";
import { hasPictures, pictureUrl } from "./pictures.js";
import { counts, describe, SETS, setWords, starText, verdictIcon, verdictWords } from "./words.js";

const SPARE_ROWS = 2;
const STRIP_PX = 24;
const CAPTION_PX = 54;
const LONG_PRESS_MS = 450;

function makeCell() {
  const image = make("img", { alt: "", draggable: "false", decoding: "async" });
  image.addEventListener("load", () => image.classList.remove("wait"));
  image.addEventListener("error", () => image.classList.add("wait"));
  const parts = {
    strip: make("span", { class: "strip" }),
    image,
    best: make("span", { class: "badge", text: "Best" }),
    opener: make("button", { class: "badge", type: "button", tabindex: "-1" }),
    tick: make("span", { class: "tick" }, icon("tick")),
    mark: icon("keeper"),
    verdict: make("span", { class: "verdict" }),
    stars: make("span", { class: "stars" }),
    name: make("span", { class: "name" }),
    label: make("span", { class: "label" }),
    note: make("span", { class: "note" }),
  };
  const cell = make("div", { class: "cell", role: "gridcell", tabindex: "-1" },
    parts.strip,
    make("div", { class: "frame" }, image, parts.note, parts.best, parts.opener, parts.tick),
    make("div", { class: "line" }, make("span", { class: "mark" }, parts.mark, parts.verdict), parts.stars),
    make("div", { class: "line quiet" }, parts.name, parts.label));
  cell.parts = parts;
  return cell;
}

/** Events: "open" (detail: id), "stack" (detail: id). */
export class Grid extends EventTarget {
  #rowsInUse = new Map();
  #spare = [];
  #layout = layOut([], 1, new Set());
  #columns = 1;
  #target = 200;
  #rowHeight = 200;
  #lastTop = 0;
  #hurry = false;
  #quiet = 0;
  #anchor = null;

  constructor(scroller, table, store, session) {
    super();
    Object.assign(this, { scroller, table, store, session });
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(scroller);
    store.addEventListener("change", event => this.#redraw(event.detail));
    session.addEventListener("list", () => this.#lay());
    session.addEventListener("chosen", () => this.#redraw());
    session.addEventListener("at", () => this.#redraw());
    this.#listen();
  }

  /** Size of a cell that is aimed at; columns are filled evenly. */
  resize(px) {
    this.#target = px;
    this.#measure();
  }

  /** Bring the current shot into sight, and the focus with it if the table has it. */
  show(focus = false) {
    const at = this.#layout.place.get(this.session.at);
    if (!at) return;
    const top = at.row * this.#rowHeight, { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + clientHeight) this.scroller.scrollTop = top + this.#rowHeight - clientHeight;
    this.#render();
    if (focus) this.#rowsInUse.get(at.row)?.cells[at.column]?.focus({ preventScroll: true });
  }

  /** Move by cells and rows; with `extend` all cells on the way are chosen. */
  move(across, down, extend) {
    const { place, rows, cells } = this.#layout;
    const at = place.get(this.session.at);
    if (!at) return;
    let to = cells[clamp(at.index + across, 0, cells.length - 1)];
    if (down) {
      const row = rows[clamp(at.row + down, 0, rows.length - 1)];
      to = row[Math.min(at.column, row.length - 1)];
    }
    this.#arrive(to, extend);
  }

  edge(end, extend) {
    const to = this.#layout.cells.at(end ? -1 : 0);
    if (to) this.#arrive(to, extend);
  }

  page(by, extend) {
    this.move(0, by * Math.max(1, Math.floor(this.scroller.clientHeight / this.#rowHeight)), extend);
  }

  #arrive(cell, extend) {
    if (extend) this.#reach(cell.id);
    else {
      this.#anchor = null;
      if (this.session.chosen.size) this.session.choose([]);
    }
    this.session.go(cell.id);
    this.show(true);
  }

  /** Choose everything from where choosing began to a shot. */
  #reach(id) {
    const { place, cells } = this.#layout;
    this.#anchor ??= this.session.at;
    const from = place.get(this.#anchor)?.index ?? 0, to = place.get(id).index;
    const [low, high] = from < to ? [from, to] : [to, from];
    this.session.choose(cells.slice(low, high + 1).flatMap(cell => cell.ids));
  }

  #measure() {
    const width = this.scroller.clientWidth - 2 * parseFloat(getComputedStyle(this.table).marginLeft);
    if (width <= 0) return;
    const columns = Math.max(1, Math.round(width / this.#target));
    const cell = Math.floor(width / columns);
    this.#rowHeight = STRIP_PX + CAPTION_PX + Math.round((cell - 14) / 1.5) + 8;
    this.table.style.setProperty("--cell", `${cell}px`);
    this.table.style.setProperty("--row", `${this.#rowHeight}px`);
    const others = columns !== this.#columns;
    if (others) {
      this.#columns = columns;
      for (const row of [...this.#rowsInUse.values(), ...this.#spare]) row.remove();
      this.#rowsInUse.clear();
      this.#spare = [];
    }
    this.#lay();
    if (others) this.show();
  }

  #lay() {
    this.#layout = layOut(this.session.groups, this.#columns, this.session.opened);
    const { rows } = this.#layout;
    this.table.style.height = `${rows.length * this.#rowHeight}px`;
    this.table.setAttribute("aria-rowcount", rows.length);
    this.table.setAttribute("aria-colcount", this.#columns);
    this.#render(true);
  }

  #scrolled() {
    const top = this.scroller.scrollTop;
    // Thumbnails that fly past are not asked for: they would stand in the way of those where it ends.
    this.#hurry = Math.abs(top - this.#lastTop) > 1.5 * this.scroller.clientHeight;
    this.#lastTop = top;
    clearTimeout(this.#quiet);
    if (this.#hurry) this.#quiet = setTimeout(() => { this.#hurry = false; this.#render(true); }, 60);
    this.#render();
  }

  #render(all = false) {
    const { rows } = this.#layout;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.#rowHeight) - SPARE_ROWS);
    const last = Math.min(rows.length - 1, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / this.#rowHeight) + SPARE_ROWS);
    for (const [index, row] of this.#rowsInUse)
      if (index < first || index > last) {
        this.#rowsInUse.delete(index);
        this.#spare.push(row);
      }
    for (let index = first; index <= last; index += 1) {
      let row = this.#rowsInUse.get(index);
      if (row && !all) continue;
      row ??= this.#spare.pop() ?? this.#makeRow();
      this.#rowsInUse.set(index, row);
      this.#fill(row, index);
    }
    for (const row of this.#spare) row.hidden = true;
    this.#reachable();
  }

  /** One cell can be reached by Tab: the current one, or the first in sight if that is elsewhere. */
  #reachable() {
    const at = this.#layout.place.get(this.session.at);
    const row = (at && this.#rowsInUse.get(at.row)) ?? this.#rowsInUse.values().next().value;
    const wanted = row && (row === this.#rowsInUse.get(at?.row) ? row.cells[at.column] : row.cells[0]);
    if (this.reachable !== wanted) this.reachable?.setAttribute("tabindex", "-1");
    wanted?.setAttribute("tabindex", "0");
    this.reachable = wanted;
  }

  #makeRow() {
    const row = make("div", { class: "row", role: "row" });
    row.cells = Array.from({ length: this.#columns }, makeCell);
    row.append(...row.cells);
    this.table.append(row);
    return row;
  }

  #fill(row, index) {
    row.hidden = false;
    row.style.transform = `translateY(${index * this.#rowHeight}px)`;
    row.setAttribute("aria-rowindex", index + 1);
    const cells = this.#layout.rows[index];
    row.cells.forEach((element, column) => {
      element.hidden = column >= cells.length;
      if (element.hidden) return;
      element.setAttribute("aria-colindex", column + 1);
      this.#draw(element, cells[column], column > 0 ? cells[column - 1] : null, cells[column + 1] ?? null);
    });
  }

  #draw(element, cell, before, after) {
    const { parts } = element, tile = this.store.tile(cell.id);
    const inSet = Boolean(cell.kind);
    element.cell = cell;
    element.dataset.id = cell.id;
    element.dataset.counts = counts(tile);
    element.setAttribute("aria-label", describe(tile, cell));
    const chosen = cell.ids.some(id => this.session.chosen.has(id));
    element.setAttribute("aria-selected", chosen);
    element.classList.toggle("at", cell.ids.includes(this.session.at));
    element.classList.toggle("in-set", inSet);
    element.classList.toggle("closed", Boolean(cell.closed));
    element.classList.toggle("set-begins", inSet && before?.group !== cell.group);
    element.classList.toggle("set-ends", inSet && after?.group !== cell.group);
    setText(parts.strip, inSet && before?.group !== cell.group ? this.#setWords(cell) : "");
    parts.best.hidden = cell.kind !== "burst" || cell.position > 1 || Boolean(cell.closed);
    parts.opener.hidden = !cell.closed;
    if (cell.closed) {
      setText(parts.opener, `${cell.of} frames`);
      parts.opener.setAttribute("aria-label", `Open this ${SETS[cell.kind].toLowerCase()} of ${cell.of}`);
    }
    setIcon(parts.mark, verdictIcon(tile));
    setText(parts.verdict, verdictWords(tile) + (tile.score === null ? "" : ` ${Math.round(tile.score)}`));
    setText(parts.stars, starText(tile.stars));
    setText(parts.name, tile.name);
    setText(parts.label, tile.label ?? "");
    parts.label.dataset.label = tile.label ?? "";
    setText(parts.note, !hasPictures(tile) ? "No picture" : tile.flags.includes("missing") ? "File not found" : tile.flags.includes("stale") ? "Changed since" : "");
    this.#picture(parts.image, hasPictures(tile) ? pictureUrl(tile, "thumb") : "");
  }

  #setWords({ kind, of, group, position, closed }) {
    if (!closed && position > 1) return `${SETS[kind]}, continued`;
    const words = setWords(kind, of);
    return kind === "burst" ? `${words} · ${group.shots.filter(id => counts(this.store.tile(id)) === "keeper").length} kept` : words;
  }

  #picture(image, url) {
    if (image.dataset.url === url) return;
    image.classList.add("wait");
    if (this.#hurry || !url) {
      delete image.dataset.url;
      image.removeAttribute("src");
      return;
    }
    image.dataset.url = url;
    image.src = url;
  }

  #redraw(ids) {
    const wanted = ids && new Set(ids);
    for (const [index, row] of this.#rowsInUse) {
      const cells = this.#layout.rows[index];
      // A set's caption counts its keepers, so a row is drawn again as a whole.
      if (!wanted || cells.some(cell => cell.group.shots.length < 64 ? cell.group.shots.some(id => wanted.has(id)) : wanted.has(cell.id)))
        this.#fill(row, index);
    }
    this.#reachable();
  }

  #listen() {
    const { table, session } = this;
    const cellOf = event => event.target.closest(".cell")?.cell;
    let timer = 0, touch = false, held = false;
    table.addEventListener("pointerdown", event => {
      const cell = cellOf(event);
      touch = event.pointerType === "touch";
      held = false;
      if (touch && cell) timer = setTimeout(() => { held = true; session.toggle(cell.id); }, LONG_PRESS_MS);
    });
    for (const type of ["pointerup", "pointercancel", "pointerleave"]) table.addEventListener(type, () => clearTimeout(timer));
    table.addEventListener("contextmenu", event => touch && event.preventDefault());
    table.addEventListener("click", event => {
      const cell = cellOf(event);
      if (!cell || held) return;
      if (cell.closed && event.target.closest("button")) this.dispatchEvent(new CustomEvent("stack", { detail: cell.id }));
      else if (touch && session.chosen.size) session.toggle(cell.id);
      else if (touch) this.dispatchEvent(new CustomEvent("open", { detail: cell.id }));
      else this.#clicked(cell, event);
    });
    table.addEventListener("dblclick", event => {
      const cell = cellOf(event);
      if (cell && !touch && !event.target.closest("button")) this.dispatchEvent(new CustomEvent("open", { detail: cell.id }));
    });
  }

  #clicked(cell, event) {
    const { session } = this;
    if (event.shiftKey) this.#reach(cell.id);
    else if (event.ctrlKey || event.metaKey) {
      // The shot that one stood on is part of the choice that begins now.
      if (!session.chosen.size && session.at !== null && !cell.ids.includes(session.at)) session.toggle(session.at);
      session.toggle(cell.id);
      this.#anchor = cell.id;
    } else {
      session.choose([]);
      this.#anchor = cell.id;
    }
    session.go(cell.id);
    this.show(true);
  }
}
