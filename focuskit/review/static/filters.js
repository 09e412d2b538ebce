// What is listed and in which order.

import { query } from "./api.js";
import { byId, make, setText, settled } from "./dom.js";
import { counts } from "./words.js";

const MANY = ["reason", "camera", "lens", "label"];
const ONE = ["score_min", "score_max", "date_from", "date_to", "stars_min"];

const readable = code => code.replaceAll("-", " ");

/** Events: "filter": something else is wanted. */
export class Filters extends EventTarget {
  constructor(library) {
    super();
    this.dialog = byId("filters");
    this.form = byId("filter-form");
    this.clear();
    this.know(library);
    for (const tab of document.querySelectorAll("[data-verdict]"))
      tab.addEventListener("click", () => this.#set({ verdict: tab.dataset.verdict }));
    for (const toggle of document.querySelectorAll("[data-toggle]"))
      toggle.addEventListener("click", () => this.#set({ [toggle.dataset.toggle]: !this.wanted[toggle.dataset.toggle] }));
    byId("order").addEventListener("change", event => this.#set({ order: event.target.value }));
    byId("text").addEventListener("input", settled(() => this.#set({ text: byId("text").value.trim() }), 200));
    byId("more-filters").addEventListener("click", () => this.dialog.showModal());
    byId("clear-filters").addEventListener("click", () => this.form.reset());
    byId("show-all").addEventListener("click", () => { this.clear(); this.#changed(); });
    this.form.addEventListener("submit", () => this.#read());
    // Closed without a choice, the form shows again what counts.
    this.dialog.addEventListener("close", () => this.#fill());
  }

  /** All photos, in order of time. */
  clear() {
    this.wanted = { verdict: "", close: false, changed: false, text: "", order: "set" };
    for (const name of MANY) this.wanted[name] = [];
    for (const name of ONE) this.wanted[name] = "";
  }

  /** Take up a filter that an earlier look at the page has left. */
  restore(wanted) {
    Object.assign(this.wanted, wanted);
    this.#show();
  }

  get query() {
    return query(this.wanted);
  }

  get plain() {
    return this.query === "?order=set";
  }

  /** Whether a shot that was listed would be so again; only decisions change while one looks. */
  fits(tile) {
    const { verdict, label, stars_min: stars } = this.wanted;
    if (verdict && counts(tile) !== verdict) return false;
    if (label.length && !label.includes(tile.label)) return false;
    if (stars && (tile.stars ?? 0) < Number(stars)) return false;
    return !this.wanted.changed || tile.pick !== null || tile.stars !== null || tile.label !== null;
  }

  /** Show how many there are of each kind, and what there is to choose from. */
  know(library) {
    for (const count of document.querySelectorAll("[data-count]"))
      setText(count, library.counts[count.dataset.count].toLocaleString("en"));
    document.querySelector('[data-verdict="failed"]').hidden = !library.counts.failed;
    if (this.dialog.open) return;
    for (const name of ["reason", "camera", "lens"]) {
      byId(`facet-${name}`).replaceChildren(...library.facets[name].map(([value, n]) => make("label", {},
        make("input", { type: "checkbox", name, value }),
        make("span", { text: name === "reason" ? readable(value) : value }), make("span", { class: "count", text: n.toLocaleString("en") }))));
    }
    const days = library.facets.date;
    for (const name of ["date_from", "date_to"]) {
      this.form.elements[name].min = days.at(0)?.[0] ?? "";
      this.form.elements[name].max = days.at(-1)?.[0] ?? "";
    }
    this.#fill();
  }

  #set(some) {
    Object.assign(this.wanted, some);
    this.#changed();
  }

  #read() {
    const said = new FormData(this.form);
    for (const name of MANY) this.wanted[name] = said.getAll(name);
    for (const name of ONE) this.wanted[name] = said.get(name) ?? "";
    this.#changed();
  }

  #changed() {
    this.#show();
    this.dispatchEvent(new Event("filter"));
  }

  #fill() {
    for (const box of this.form.querySelectorAll("input[type=checkbox]")) box.checked = this.wanted[box.name].includes(box.value);
    for (const name of ONE) this.form.elements[name].value = this.wanted[name];
  }

  #show() {
    const { wanted } = this;
    for (const tab of document.querySelectorAll("[data-verdict]")) tab.setAttribute("aria-pressed", tab.dataset.verdict === wanted.verdict);
    for (const toggle of document.querySelectorAll("[data-toggle]")) toggle.setAttribute("aria-pressed", wanted[toggle.dataset.toggle]);
    byId("order").value = wanted.order;
    if (document.activeElement !== byId("text")) byId("text").value = wanted.text;
    const on = MANY.filter(name => wanted[name].length).length + ONE.filter(name => wanted[name] !== "").length;
    setText(byId("filters-on"), on || "");
    byId("more-filters").setAttribute("aria-label", on ? `Filter, ${on} set` : "Filter");
    byId("more-filters").classList.toggle("on", on > 0);
    this.#fill();
  }
}
