// What is known of the shots, and what people said of them: shown at once, saved in order.

import { client, get, post } from "./api.js";
import { settled } from "./dom.js";

const WAITS_S = [1, 2, 4, 8, 15];

const FIELDS = ["id", "name", "ratio", "verdict", "pick", "stars", "label", "score", "flags", "v"];

function readTile(row) {
  const tile = {};
  FIELDS.forEach((field, i) => { tile[field] = row[i]; });
  tile.flags ??= [];
  return tile;
}

/**
 * Events: "change" (detail: ids), "saving" (detail: {pending, trouble}), "said" (detail: {text, alarm}),
 * "reload" (the list itself has changed), "counts" (detail: the library).
 */
export class Store extends EventTarget {
  #base = new Map();
  #over = new Map();
  #details = new Map();
  #queue = [];
  // In the order of undoing: what was never sent, or null for what the server took back.
  #undone = [];
  #busy = false;
  #wake = () => {};
  #source = null;
  #tries = 0;
  #countSoon = settled(() => this.count(), 300);

  constructor(library) {
    super();
    this.version = library.version;
    this.undoText = library.undo ?? null;
    this.redoText = library.redo ?? null;
    this.trouble = "";
    addEventListener("online", () => this.retry());
    addEventListener("beforeunload", event => { if (this.#queue.length) event.preventDefault(); });
    // A browser opens six connections to one place at most, and a window that nobody sees needs none.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#deaf() : this.listen()));
  }

  /** Take an answer of /api/shots; return its groups with ids in place of tiles. */
  take(answer) {
    return answer.groups.map(group => ({
      ...group,
      shots: group.shots.map(row => {
        this.#base.set(row[0], readTile(row));
        return row[0];
      }),
    }));
  }

  has(id) {
    return this.#base.has(id);
  }

  tile(id) {
    const over = this.#over.get(id);
    return over ? { ...this.#base.get(id), ...over } : this.#base.get(id);
  }

  get pending() {
    return this.#queue.length;
  }

  /** All about one shot; kept for as long as it is near. */
  details(id) {
    if (!this.#details.has(id)) {
      const asked = get(`/api/shots/${id}`);
      asked.catch(() => this.#details.delete(id));
      this.#details.set(id, asked);
      if (this.#details.size > 64) this.#details.delete(this.#details.keys().next().value);
    }
    return this.#details.get(id);
  }

  /** Say something of shots: [{id, pick?, stars?, label?}…]. */
  change(changes, what) {
    this.#undone = [];
    this.#put({ path: "/api/choices", body: { client, changes, what }, changes, what });
  }

  undo() {
    const last = this.#queue.at(-1);
    // What was never sent is taken back here, so that undo works on a full disk too.
    if (last?.changes && (this.#queue.length > 1 || this.trouble)) {
      this.#queue.pop();
      this.#undone.push(last);
      this.#lay(last.changes.map(change => change.id));
      this.#tell(`Undone: ${last.what}`);
      this.#report();
    } else {
      this.#undone.push(null);
      this.#put({ path: "/api/undo", body: { client }, done: "Undone" });
    }
  }

  redo() {
    const again = this.#undone.pop();
    if (again) {
      this.#put(again);
      this.#tell(`Redone: ${again.what}`);
    } else this.#put({ path: "/api/redo", body: { client }, done: "Redone" });
  }

  retry() {
    this.#wake();
  }

  /** Ask again how many there are of each kind. */
  async count() {
    try {
      const library = await get("/api/library");
      this.undoText = library.undo ?? null;
      this.redoText = library.redo ?? null;
      this.dispatchEvent(new CustomEvent("counts", { detail: library }));
    } catch {
      // The next change asks again.
    }
  }

  /** Hear what other windows do. */
  listen() {
    if (this.#source || document.hidden) return;
    const source = new EventSource(`/api/events?since=${this.version}`);
    this.#source = source;
    source.onopen = () => { this.#tries = 0; };
    source.onmessage = event => this.#hear(JSON.parse(event.data));
    // The browser would ask again for what came after the first version: ask anew, from the last.
    source.onerror = () => {
      this.#deaf();
      setTimeout(() => this.listen(), 1000 * WAITS_S[Math.min(this.#tries++, WAITS_S.length - 1)]);
    };
  }

  #deaf() {
    this.#source?.close();
    this.#source = null;
  }

  #hear(event) {
    this.version = Math.max(this.version, event.version);
    if (event.reload) {
      this.#details.clear();
      this.dispatchEvent(new Event("reload"));
      return;
    }
    if (event.by === client) return;
    this.#accept(event.changed);
    this.#tell(event.changed.length === 1 ? `Changed in another window: ${event.changed[0][1]}` : `${event.changed.length} changed in another window`);
    this.#countSoon();
  }

  #accept(rows) {
    for (const row of rows) this.#base.set(row[0], readTile(row));
    this.#lay(rows.map(row => row[0]));
  }

  #put(job) {
    this.#queue.push(job);
    if (job.changes) this.#lay(job.changes.map(change => change.id));
    this.#report();
    this.#drain();
  }

  /** Lay what is not saved yet over what is known. */
  #lay(ids) {
    this.#over.clear();
    for (const job of this.#queue)
      for (const { id, ...said } of job.changes ?? []) this.#over.set(id, { ...this.#over.get(id), ...said });
    this.dispatchEvent(new CustomEvent("change", { detail: ids }));
  }

  async #drain() {
    if (this.#busy) return;
    this.#busy = true;
    for (let tries = 0; this.#queue.length; ) {
      const job = this.#queue[0];
      try {
        const answer = await post(job.path, job.body);
        tries = 0;
        this.trouble = "";
        if (this.#queue[0] === job) this.#queue.shift();
        // Taken back while it was on its way: it arrived, so it has to be undone there.
        else this.#queue.unshift({ path: "/api/undo", body: { client }, done: "Undone" });
        this.#done(job, answer);
      } catch (error) {
        if (error.lasting) this.#giveUp(job, error);
        else {
          this.trouble = error.message;
          this.#report();
          await new Promise(wake => {
            this.#wake = wake;
            setTimeout(wake, 1000 * WAITS_S[Math.min(tries++, WAITS_S.length - 1)]);
          });
        }
      }
    }
    this.#busy = false;
    this.trouble = "";
    this.#report();
  }

  #done(job, answer) {
    this.undoText = answer.undo ?? null;
    this.redoText = answer.redo ?? null;
    this.#accept(answer.changed);
    if (job.done) this.#tell(`${job.done}: ${answer.what}`);
    this.#countSoon();
    this.#report();
  }

  #giveUp(job, error) {
    if (this.#queue[0] === job) this.#queue.shift();
    this.trouble = "";
    this.#lay((job.changes ?? []).map(change => change.id));
    this.#tell(error.message, true);
  }

  #tell(text, alarm = false) {
    this.dispatchEvent(new CustomEvent("said", { detail: { text, alarm } }));
  }

  #report() {
    const pending = this.#queue.filter(job => job.changes).reduce((n, job) => n + job.changes.length, 0);
    this.dispatchEvent(new CustomEvent("saving", { detail: { pending, busy: this.#queue.length > 0, trouble: this.trouble } }));
  }
}
