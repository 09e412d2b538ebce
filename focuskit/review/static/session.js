// Where the person is: the list, the shot they look at, the shots they have chosen.

import { isClosed, setKey } from "./layout.js";

/** Events: "at" (the current shot has changed), "chosen", "list" (what is listed, or what is open, has changed). */
export class Session extends EventTarget {
  groups = [];
  ids = [];
  total = 0;
  at = null;
  chosen = new Set();
  opened = new Set();
  #index = new Map();
  #groupOf = new Map();

  list(groups, total) {
    this.groups = groups;
    this.total = total;
    this.ids = groups.flatMap(group => group.shots);
    this.#index = new Map(this.ids.map((id, i) => [id, i]));
    this.#groupOf = new Map();
    for (const group of groups) for (const id of group.shots) this.#groupOf.set(id, group);
    this.chosen = new Set([...this.chosen].filter(id => this.#index.has(id)));
    const kept = this.at !== null && this.#index.has(this.at);
    this.#fire("list");
    if (!kept) this.go(this.ids[0] ?? null);
  }

  index(id) {
    return this.#index.get(id) ?? -1;
  }

  /** The set that a shot belongs to, or null for a single one. */
  setOf(id) {
    const group = this.#groupOf.get(id);
    return group?.kind && group.shots.length > 1 ? group : null;
  }

  closedSet(id) {
    const set = this.setOf(id);
    return set && isClosed(set, this.opened) ? set : null;
  }

  go(id) {
    if (id === this.at || (id !== null && !this.#index.has(id))) return false;
    this.at = id;
    this.#fire("at");
    return true;
  }

  /** Move by single shots; false at either end. */
  step(by) {
    const to = this.ids[this.index(this.at) + by];
    return to !== undefined && this.go(to);
  }

  /** Move to the first shot of the next or previous set, singles counting as sets of one. */
  stepSet(by) {
    const set = this.setOf(this.at);
    const edge = set ? this.index(set.shots[by > 0 ? set.shots.length - 1 : 0]) : this.index(this.at);
    const to = this.ids[edge + by];
    if (to === undefined) return false;
    return this.go(this.setOf(to)?.shots[0] ?? to);
  }

  choose(ids) {
    this.chosen = new Set(ids);
    this.#fire("chosen");
  }

  toggle(id) {
    const set = this.closedSet(id)?.shots ?? [id];
    const out = set.every(each => this.chosen.has(each));
    for (const each of set) if (out) this.chosen.delete(each); else this.chosen.add(each);
    this.#fire("chosen");
  }

  toggleOpen(id) {
    const set = this.setOf(id);
    if (!set) return null;
    const key = setKey(set);
    if (!this.opened.delete(key)) this.opened.add(key);
    this.#fire("list");
    return { set, closed: isClosed(set, this.opened) };
  }

  #fire(type) {
    this.dispatchEvent(new Event(type));
  }
}
