// Two to four frames side by side, zoomed and moved as one.

import { byId, icon, make, setIcon, setText } from "./dom.js";
import { offset, Pane } from "./pane.js";
import { counts, describe, starText, verdictIcon, verdictWords } from "./words.js";

const MOST = 4;

export class Compare {
  #panes = [];
  #active = 0;
  #view = { scale: 0, x: 0.5, y: 0.5 };
  #judged = false;
  #from = null;

  constructor(store, session, pictures, fulls) {
    Object.assign(this, { store, session, pictures, fulls });
    this.element = byId("compare");
    this.host = byId("panes");
    this.overlay = false;
    store.addEventListener("change", event => this.open && event.detail.some(id => this.ids.includes(id)) && this.#draw());
  }

  get open() {
    return !this.element.hidden;
  }

  get ids() {
    return this.#panes.map(({ id }) => id);
  }

  get at() {
    return this.#panes[this.#active]?.id ?? null;
  }

  /** The chosen shots, or the current one and the best other of its set, or the next. */
  candidates() {
    const { session } = this;
    if (session.chosen.size > 1) return session.ids.filter(id => session.chosen.has(id)).slice(0, MOST);
    const set = session.setOf(session.at)?.shots;
    const other = set ? set.find(id => id !== session.at) : session.ids[session.index(session.at) + 1] ?? session.ids[session.index(session.at) - 1];
    if (other === undefined) return [];
    return [session.at, other].sort((one, two) => session.index(one) - session.index(two));
  }

  start(ids) {
    this.stop();
    this.#view = { scale: 0, x: 0.5, y: 0.5 };
    this.#judged = false;
    ids.forEach(id => this.#add(id));
    this.#activate(Math.max(0, ids.indexOf(this.session.at)));
  }

  stop() {
    this.#panes = [];
    this.host.replaceChildren();
  }

  /** Move to the frame beside; at the edge the frame shown there is exchanged for the one beyond. */
  step(by) {
    const to = this.#active + by;
    if (this.#panes[to]) this.#activate(to);
    else this.exchange(by);
  }

  /** Show the next or previous shot of the list in the active frame, passing those that are shown already. */
  exchange(by) {
    const { session, ids } = this;
    let index = session.index(this.at) + by;
    while (ids.includes(session.ids[index])) index += by;
    const id = session.ids[index];
    if (id === undefined) return;
    this.#panes[this.#active].id = id;
    this.#draw();
    this.#activate(this.#active);
  }

  more() {
    const { session, ids } = this;
    if (ids.length >= MOST) return;
    const set = session.setOf(this.at)?.shots ?? [];
    const last = Math.max(...ids.map(id => session.index(id)));
    const id = set.find(each => !ids.includes(each)) ?? session.ids[last + 1];
    if (id !== undefined) this.#add(id);
  }

  fewer() {
    if (this.#panes.length <= 2) return;
    const [gone] = this.#panes.splice(this.#active, 1);
    gone.figure.remove();
    this.#arrange();
    this.#activate(Math.min(this.#active, this.#panes.length - 1));
  }

  toggleOverlay() {
    this.overlay = !this.overlay;
    this.#draw();
    return this.overlay;
  }

  /** All of each frame, or each frame's own judged point, pixel for pixel. */
  zoom() {
    if (this.#view.scale) this.#look({ scale: 0, x: 0.5, y: 0.5 }, this.#panes[this.#active], false);
    else {
      const active = this.#panes[this.#active];
      this.#look({ scale: active.pane.close, ...active.pane.judged }, active, true);
    }
    return this.#view.scale ? "Each frame at its judged point" : "Whole photos";
  }

  zoomBy(factor) {
    const { pane } = this.#panes[this.#active], box = pane.element.getBoundingClientRect();
    pane.zoomBy(factor, box.left + box.width / 2, box.top + box.height / 2);
  }

  #add(id) {
    const pane = new Pane(this.pictures, this.fulls, true), mark = icon("keeper");
    const parts = { mark, verdict: make("span", { class: "verdict" }), name: make("span", { class: "name" }), stars: make("span", { class: "stars" }) };
    const figure = make("figure", { class: "compared" }, pane.element,
      make("figcaption", {}, make("span", { class: "mark" }, mark, parts.verdict), parts.name, parts.stars));
    const entry = { id, pane, figure, parts };
    pane.addEventListener("active", () => this.#activate(this.#panes.indexOf(entry)));
    pane.addEventListener("aim", event => this.#look(event.detail, entry, this.#judged && event.detail.scale > 0));
    pane.addEventListener("swipe", event => { this.#activate(this.#panes.indexOf(entry)); this.exchange(event.detail); });
    this.#panes.push(entry);
    this.host.append(figure);
    this.#arrange();
    this.#draw();
  }

  #arrange() {
    this.host.dataset.frames = this.#panes.length;
    setText(byId("compare-place"), `${this.#panes.length} frames · frame ${this.#active + 1} is active`);
  }

  #activate(index) {
    this.#active = index;
    this.#panes.forEach(({ figure }, i) => figure.classList.toggle("at", i === index));
    this.session.go(this.at);
    this.#arrange();
  }

  /** Look at the same part in every frame; from judged point to judged point if that is where it began. */
  #look(view, from, judged) {
    this.#view = view;
    this.#judged = judged;
    this.#from = from;
    for (const entry of this.#panes) this.#aim(entry);
    setText(byId("compare-zoom"), view.scale ? `${Math.round(100 * view.scale)} %` : "Fit");
  }

  #aim(entry) {
    const { scale, x, y } = this.#view, own = entry.pane.judged, its = this.#from?.pane.judged;
    const apart = this.#judged && its ? offset(its, own) : { x: 0, y: 0 };
    entry.pane.set({ scale, x: x + apart.x, y: y + apart.y });
  }

  #draw() {
    for (const entry of this.#panes) {
      const { id, pane, parts, figure } = entry, tile = this.store.tile(id);
      pane.show(tile, this.overlay);
      pane.element.setAttribute("aria-label", describe(tile));
      figure.dataset.counts = counts(tile);
      figure.dataset.id = id;
      setIcon(parts.mark, verdictIcon(tile));
      setText(parts.verdict, verdictWords(tile) + (tile.score === null ? "" : ` ${Math.round(tile.score)}`));
      setText(parts.name, tile.name);
      setText(parts.stars, starText(tile.stars));
      this.store.details(id).then(details => {
        if (entry.id !== id) return;
        pane.know(details);
        this.#aim(entry);
      }, () => {});
    }
  }
}
