// The large view: the whole photo, beside it the judged point pixel for pixel and the verdict in words.

import { byId, clamp, icon, make, setIcon, setText, settled } from "./dom.js";
import { offset, Pane } from "./pane.js";
import { hasPictures, pictureUrl } from "./pictures.js";
import { counts, describe, plural, setWords, starText, VERDICTS, verdictIcon, verdictWords } from "./words.js";

const AHEAD = 3;
const BEHIND = 2;
const BESIDE_SET = 2;
const BESIDE_SINGLE = 7;
const WIDE = "size=640";
const LINGER_MS = 200;

export class Large {
  #film = new Map();
  #way = 1;
  #last = null;
  #mark = icon("keeper");
  // A wide crop is cut from the whole photo: asked for where one stays, not at every photo on the way.
  #linger = settled((tile, details) => {
    if (this.#last !== tile.id || !this.open) return;
    if (!details.missing) this.#putCrop(this.pictures.want(pictureUrl(tile, "crop", WIDE)), tile, details);
    for (const near of this.#near().slice(0, AHEAD).filter(each => !each.flags.includes("missing")))
      this.pictures.want(pictureUrl(near, "crop", WIDE));
  }, LINGER_MS);

  constructor(store, session, pictures, fulls) {
    Object.assign(this, { store, session, pictures, fulls });
    this.overlay = false;
    this.element = byId("large");
    this.pane = new Pane(pictures, fulls);
    byId("photo").append(this.pane.element);
    byId("verdict-mark").append(this.#mark);
    this.pane.addEventListener("aim", event => this.#look(event.detail));
    this.pane.addEventListener("swipe", event => session.step(event.detail));
    this.pane.addEventListener("drawn", () => this.#prefetch());
    session.addEventListener("at", () => this.open && this.draw());
    session.addEventListener("list", () => this.open && this.draw());
    store.addEventListener("change", event => this.open && event.detail.some(id => this.#film.has(id)) && this.draw());
    byId("film").addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button) session.go(Number(button.dataset.id));
    });
    byId("explain").addEventListener("click", event => {
      event.currentTarget.setAttribute("aria-pressed", byId("about").classList.toggle("explained"));
    });
  }

  get open() {
    return !this.element.hidden;
  }

  /** Show the current shot. */
  draw() {
    const { store, session, pane } = this;
    if (session.at === null) return;
    const tile = store.tile(session.at), other = tile.id !== this.#last;
    if (other) this.#way = session.index(tile.id) < session.index(this.#last) ? -1 : 1;
    const from = pane.view.scale && pane.details ? { judged: pane.judged, set: session.setOf(this.#last) } : null;
    this.#last = tile.id;
    pane.show(tile, this.overlay);
    pane.element.setAttribute("aria-label", describe(tile));
    this.#drawTop(tile);
    this.#drawChoice(tile);
    this.#drawFilm();
    if (other) {
      byId("crop").replaceChildren();
      delete byId("crop").dataset.wide;
    }
    store.details(tile.id).then(
      details => this.#know(tile.id, details, other && from),
      error => this.#last === tile.id && setText(byId("words"), error.message));
  }

  toggleOverlay() {
    this.overlay = !this.overlay;
    this.draw();
    return this.overlay;
  }

  togglePoints() {
    return this.element.classList.toggle("without-points");
  }

  /** All of the photo, or pixel for pixel at the judged point. */
  zoom() {
    const { pane } = this;
    this.#look(pane.view.scale ? { scale: 0, x: 0.5, y: 0.5 } : { scale: pane.close, ...pane.judged });
    return pane.view.scale ? `${pane.element.dataset.percent} %` : "Whole photo";
  }

  zoomBy(factor) {
    const box = this.pane.element.getBoundingClientRect();
    this.pane.zoomBy(factor, box.left + box.width / 2, box.top + box.height / 2);
  }

  leave() {
    this.pane.set({ scale: 0, x: 0.5, y: 0.5 });
  }

  #look(view) {
    this.pane.set(view);
    const { percent } = this.pane.element.dataset;
    setText(byId("zoom-text"), view.scale ? `${percent} %` : "Fit");
    byId("large").classList.toggle("zoomed", view.scale > 0);
  }

  #know(id, details, from) {
    if (this.#last !== id) return;
    const { pane } = this, first = pane.details === null;
    pane.know(details);
    // Zoomed in, one steps through a burst and stays at the same part of the subject.
    if (first && from) {
      const { judged } = pane, { scale, x, y } = pane.view;
      const apart = from.set && from.set === this.session.setOf(id) && offset(from.judged, judged);
      this.#look(apart ? { scale, x: x + apart.x, y: y + apart.y } : { scale, ...judged });
    }
    this.#drawCrop(details);
    this.#drawWords(details);
  }

  #drawTop(tile) {
    const { session } = this, set = session.setOf(tile.id);
    setText(byId("shot-name"), tile.name);
    const place = `${(session.index(tile.id) + 1).toLocaleString("en")} of ${session.ids.length.toLocaleString("en")}`;
    setText(byId("shot-place"), set ? `${place} · ${set.shots.indexOf(tile.id) + 1} in ${setWords(set.kind, set.shots.length).toLowerCase()}` : place);
  }

  #drawChoice(tile) {
    setIcon(this.#mark, verdictIcon(tile));
    this.element.dataset.counts = counts(tile);
    setText(byId("verdict-text"), verdictWords(tile));
    setText(byId("verdict-score"), tile.score === null ? "" : Math.round(tile.score));
    setText(byId("verdict-by"), `focuskit: ${VERDICTS[tile.verdict].toLowerCase()}`);
    const pressed = (act, on) => byId("large").querySelectorAll(`[data-act="${act}"]`).forEach(button => button.setAttribute("aria-pressed", on));
    pressed("pick", tile.pick === "keeper");
    pressed("reject", tile.pick === "reject");
    pressed("unset", tile.pick === "unset");
    for (let n = 1; n <= 5; n += 1) pressed(`stars-${n}`, n <= (tile.stars ?? 0));
    for (const label of ["red", "yellow", "green", "blue", "purple"]) pressed(`label-${label}`, tile.label === label);
  }

  #drawCrop(details) {
    const { tile } = this.pane, host = byId("crop");
    if (!details.pictures.crop) {
      host.replaceChildren(make("p", { class: "quiet", text: details.missing ?? "There is no crop of this shot." }));
      return;
    }
    this.#putCrop(this.pictures.want(pictureUrl(tile, "crop")), tile, null);
    this.#linger(tile, details);
  }

  /** What culling kept comes first; a wider piece of the photo takes its place. */
  #putCrop(entry, tile, wide) {
    const host = byId("crop");
    const put = () => {
      if (this.#last !== tile.id || (!wide && host.dataset.wide === String(tile.id))) return;
      if (wide) host.dataset.wide = tile.id;
      const image = entry.image.isConnected && entry.image.parentNode !== host ? entry.image.cloneNode() : entry.image;
      // Pixel for pixel on this screen, whatever the screen calls a pixel.
      image.style.width = `${entry.image.naturalWidth / devicePixelRatio}px`;
      image.style.transform = wide ? this.#centred(wide, entry.image) : "";
      image.alt = `The judged point of ${tile.name}, pixel for pixel`;
      if (image.parentNode !== host) host.replaceChildren(image);
    };
    if (entry.ready) put();
    else entry.drawn.then(put, () => {});
  }

  /** Bring the judged point to the middle: near an edge of the photo a piece of it lies to one side. */
  #centred({ width, height, judged_at: at }, { naturalWidth, naturalHeight }) {
    const host = byId("crop");
    const shift = (length, piece, share, room) => {
      const begins = clamp(share * length - piece / 2, 0, length - piece), most = Math.max(0, (piece / devicePixelRatio - room) / 2);
      return Math.round(clamp((begins + piece / 2 - share * length) / devicePixelRatio, -most, most));
    };
    return `translate(${shift(width, naturalWidth, at.x, host.clientWidth)}px, ${shift(height, naturalHeight, at.y, host.clientHeight)}px)`;
  }

  #drawWords(details) {
    setText(byId("words"), details.missing ?? "");
    byId("reasons").replaceChildren(...details.reasons.map(reason => make("li", { text: reason.text })));
    const scores = details.numbers.filter(({ unit }) => unit === "points"), rest = details.numbers.filter(({ unit }) => unit !== "points");
    byId("numbers").replaceChildren(...scores.map(number => this.#line(number)));
    byId("measures").replaceChildren(...rest.map(number => this.#line(number)));
    byId("measured").hidden = !rest.length;
    // How sure focuskit was: the first of its words, up to where the reasons begin.
    const [judged] = /^[^.]*/.exec(details.words ?? "");
    if (judged) setText(byId("verdict-by"), `focuskit: ${judged.charAt(0).toLowerCase()}${judged.slice(1)}`);
    const facts = Object.values(details.exif).filter(fact => typeof fact === "string" && fact);
    byId("facts").replaceChildren(...facts.map(fact => make("li", { text: fact })));
    setText(byId("files"), details.files.length > 1 ? `${plural(details.files.length, "file")}: ${details.files.join(", ")}` : "");
    byId("points-switch").hidden = !details.focus_points.length;
  }

  #line({ name, text, value, unit, help }) {
    const line = make("div", {}, make("dt", { text: name }), make("dd", { text }));
    if (unit === "points") {
      const bar = make("dd", { class: "score", "aria-hidden": "true" }, make("span"));
      bar.firstChild.style.width = `${clamp(value, 0, 100)}%`;
      line.append(bar);
    }
    if (help) line.append(make("dd", { class: "help", text: help }));
    return line;
  }

  /** The set, with what lies before and behind it. Buttons are kept, so that no thumbnail is loaded twice. */
  #drawFilm() {
    const { session, store } = this, set = session.setOf(session.at);
    const from = set ? session.index(set.shots[0]) - BESIDE_SET : session.index(session.at) - BESIDE_SINGLE;
    const to = set ? session.index(set.shots.at(-1)) + BESIDE_SET : session.index(session.at) + BESIDE_SINGLE;
    const ids = session.ids.slice(Math.max(0, from), to + 1), wanted = new Set(ids);
    for (const [id, frame] of this.#film)
      if (!wanted.has(id)) {
        frame.remove();
        this.#film.delete(id);
      }
    const film = byId("film");
    ids.forEach((id, i) => {
      const frame = this.#film.get(id) ?? this.#makeFrame(id);
      if (film.children[i] !== frame) film.insertBefore(frame, film.children[i] ?? null);
      this.#drawFrame(frame, store.tile(id), set?.shots.includes(id) ?? false);
    });
    this.#film.get(session.at)?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  #makeFrame(id) {
    const mark = icon("keeper");
    const frame = make("button", { type: "button", class: "frame-button", tabindex: "-1", data: { id } },
      make("img", { alt: "", draggable: "false", src: hasPictures(this.store.tile(id)) ? pictureUrl(this.store.tile(id), "thumb") : null }), mark, make("span", { class: "stars" }));
    frame.mark = mark;
    this.#film.set(id, frame);
    return frame;
  }

  #drawFrame(frame, tile, inSet) {
    frame.classList.toggle("in-set", inSet);
    frame.dataset.counts = counts(tile);
    frame.setAttribute("aria-label", describe(tile));
    frame.toggleAttribute("aria-current", tile.id === this.session.at);
    if (tile.id === this.session.at) frame.setAttribute("aria-current", "true");
    setIcon(frame.mark, verdictIcon(tile));
    setText(frame.lastChild, starText(tile.stars));
  }

  /** The next ones in the direction of travel first, then those behind. */
  #near() {
    const { session, store } = this, at = session.index(session.at), near = [];
    for (let i = 1; i <= AHEAD; i += 1) near.push(at + i * this.#way);
    for (let i = 1; i <= BEHIND; i += 1) near.push(at - i * this.#way);
    return near.map(index => session.ids[index]).filter(id => id !== undefined).map(id => store.tile(id)).filter(hasPictures);
  }

  #prefetch() {
    const { store, pane } = this;
    this.#near().forEach((tile, i) => {
      this.pictures.want(pictureUrl(tile, "photo"));
      this.pictures.want(pictureUrl(tile, "crop"));
      if (this.overlay) this.pictures.want(pictureUrl(tile, "overlay"));
      store.details(tile.id).then(({ width, height }) => {
        if (i === 0 && pane.view.scale && Math.max(width, height) > 1600) this.fulls.want(pictureUrl(tile, "full"));
      }, () => {});
    });
  }
}
