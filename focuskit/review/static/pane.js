// One photo that can be zoomed and moved: with wheel, fingers, drag or a click.

import { clamp, make } from "./dom.js";
import { hasPictures, pictureUrl } from "./pictures.js";

const MOST = 8;
const CLICK_PX = 5;
const SWIPE_PX = 60;
const DOUBLE_TAP_MS = 320;
const SAME = 0.15;

/**
 * How far the same part of a subject moved between two frames of a set, from where each was judged. Points far apart
 * lie on different things: then the same place of the frame is shown.
 */
export function offset(from, to) {
  const x = to.x - from.x, y = to.y - from.y;
  return Math.hypot(x, y) < SAME ? { x, y } : { x: 0, y: 0 };
}

/**
 * A view is {scale, x, y}: screen pixels per pixel of the photo (0: all of it), and where in the photo, in shares of
 * its size, the middle of the pane looks. The pane only asks for a new one (event "aim"): panes that are locked
 * together move together.
 *
 * Events: "aim" (detail: view), "swipe" (detail: -1 or 1), "drawn" (the photo is there), "active" (it was touched).
 */
export class Pane extends EventTarget {
  view = { scale: 0, x: 0.5, y: 0.5 };
  tile = null;
  details = null;
  #pointers = new Map();
  #moved = 0;
  #pinch = 0;
  #tapped = { at: 0, x: 0, y: 0 };

  constructor(pictures, fulls, locked = false) {
    super();
    Object.assign(this, { pictures, fulls, locked });
    this.boxes = make("div", { class: "boxes", "aria-hidden": "true" });
    this.stage = make("div", { class: "stage" }, this.boxes);
    this.note = make("p", { class: "pane-note", hidden: true });
    this.element = make("div", { class: "pane", role: "img", tabindex: "-1", data: { state: "empty" } }, this.stage, this.note);
    new ResizeObserver(() => this.place()).observe(this.element);
    this.#listen();
  }

  /** Show a shot; its details may come later, through `know`. */
  show(tile, overlay) {
    const other = this.tile?.id !== tile.id;
    this.tile = tile;
    if (other) {
      this.details = null;
      this.#say("");
      this.boxes.replaceChildren();
      this.element.dataset.id = tile.id;
      this.#drop("full");
    }
    this.overlay = overlay;
    this.element.dataset.overlay = overlay;
    if (!hasPictures(tile)) this.#nothing();
    else {
      this.#layer("photo", pictureUrl(tile, "photo"), other);
      if (overlay) this.#map(other);
      else this.#drop("overlay");
    }
    this.place();
  }

  know(details) {
    this.details = details;
    this.#say(details.missing ?? "");
    const { region, focus_points: points } = details;
    this.boxes.replaceChildren(
      ...(region ? [this.#box("box judged", region)] : []),
      ...points.map(point => this.#box(`box point${point.in_focus ? " in-focus" : ""}`, point)));
    this.place();
  }

  set(view) {
    this.view = view;
    this.place();
  }

  /** Screen pixels per pixel of the photo where all of it is in sight. */
  get fit() {
    const { width, height } = this.#size();
    return devicePixelRatio * Math.min(this.element.clientWidth / width, this.element.clientHeight / height);
  }

  /** What Z shows: pixel for pixel, or the next whole magnification if the whole photo is larger than that already. */
  get close() {
    return Math.max(1, Math.ceil(this.fit * 1.15));
  }

  get judged() {
    return this.details?.judged_at ?? { x: 0.5, y: 0.5 };
  }

  place() {
    if (!this.tile || !this.element.clientWidth) return;
    const { width, height } = this.#size(), { clientWidth, clientHeight } = this.element;
    const shown = this.view.scale || this.fit, css = shown / devicePixelRatio;
    const lies = (length, all, share) => {
      // Locked together, frames keep in line to their very edges.
      if (this.locked && this.view.scale && length > all) return all / 2 - clamp(share, 0, 1) * length;
      return length <= all ? (all - length) / 2 : clamp(all / 2 - share * length, all - length, 0);
    };
    const snap = value => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const { style } = this.stage;
    style.width = `${width * css}px`;
    style.height = `${height * css}px`;
    style.transform = `translate(${snap(lies(width * css, clientWidth, this.view.x))}px, ${snap(lies(height * css, clientHeight, this.view.y))}px)`;
    this.element.classList.toggle("zoomed", this.view.scale > 0);
    // Beyond twice its pixels one wants to see them, not what lies between.
    this.element.classList.toggle("pixels", shown >= 2 && this.view.scale > 0);
    this.element.dataset.percent = Math.round(100 * shown);
    if (this.view.scale && this.details && Math.max(width, height) > 1600 && hasPictures(this.tile)) this.#layer("full", pictureUrl(this.tile, "full"));
  }

  /** Zoom by a factor so that what lies under a point of the pane stays there. */
  zoomBy(factor, clientX, clientY) {
    const from = this.view.scale || this.fit, to = clamp(from * factor, this.fit, MOST);
    if (to <= this.fit * 1.001) return this.#aim({ scale: 0, x: 0.5, y: 0.5 });
    const point = this.#share(clientX, clientY), { x, y } = this.#middle(), keep = from / to;
    return this.#aim({ scale: to, x: point.x + (x - point.x) * keep, y: point.y + (y - point.y) * keep });
  }

  #size() {
    const { details, tile } = this;
    // Until the details come only the shape is known; any size of that shape fits alike.
    return details?.width ? details : { width: 1600 * Math.min(1, tile.ratio), height: 1600 * Math.min(1, 1 / tile.ratio) };
  }

  #say(text) {
    this.note.hidden = !text;
    this.note.textContent = text;
  }

  #aim(view) {
    this.dispatchEvent(new CustomEvent("aim", { detail: view }));
  }

  #box(name, { x, y, width, height }) {
    const box = make("div", { class: name });
    Object.assign(box.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * width}%`, height: `${100 * height}%` });
    return box;
  }

  #drop(kind) {
    this.stage.querySelector(`.${kind}`)?.remove();
  }

  /** Nothing to draw is drawn at once, so that going on is not held up. */
  #nothing() {
    this.#drop("photo");
    this.#drop("overlay");
    this.#drawn();
  }

  /** The small map that culling kept until the large one is drawn. */
  #map(other) {
    const { tile } = this, large = pictureUrl(tile, "overlay");
    if (!this.pictures.want(large).ready) this.#layer("overlay", pictureUrl(tile, "overlay", "quick=1"), other);
    this.#layer("overlay", large);
  }

  /** Put a picture into the stage as soon as it can be drawn, in place of the last one of its kind. */
  #layer(kind, url, other = false) {
    const old = this.stage.querySelector(`.${kind}`);
    if (old?.dataset.url === url) return;
    const { id } = this.tile, cache = kind === "full" ? this.fulls : this.pictures;
    const entry = cache.want(url);
    const put = () => {
      if (this.tile.id !== id || (kind === "overlay" && !this.overlay)) return;
      if (this.stage.querySelector(`.${kind}`)?.dataset.url === url) return;
      // The small map may come after the large one.
      if (url.includes("quick=1") && this.stage.querySelector(".overlay")) return;
      // The same picture may be shown in another pane: each takes one of its own, which is decoded already.
      const image = entry.image.isConnected ? entry.image.cloneNode() : entry.image;
      image.className = `layer ${kind}`;
      image.dataset.url = url;
      this.#drop(kind);
      this.stage.insertBefore(image, kind === "photo" ? this.stage.firstChild : this.boxes);
      if (kind === "photo") this.#drawn();
    };
    if (entry.ready) return put();
    if (kind === "photo" && other) {
      this.element.dataset.state = "coming";
      this.#standIn();
    } else if (other) this.#drop(kind);
    return entry.drawn.then(put, () => {
      if (this.tile.id !== id || kind !== "photo") return;
      this.element.dataset.state = "failed";
      this.#say("This photo could not be loaded.");
    });
  }

  /** The thumbnail, which the table has loaded already, until the photo itself is there. */
  #standIn() {
    const image = make("img", { alt: "", class: "layer photo", draggable: "false", src: pictureUrl(this.tile, "thumb") });
    this.#drop("photo");
    this.stage.prepend(image);
  }

  #drawn() {
    this.element.dataset.state = "drawn";
    this.dispatchEvent(new Event("drawn"));
  }

  #share(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  /** Where the middle of the pane looks, after the edges have had their say. */
  #middle() {
    const box = this.element.getBoundingClientRect();
    return this.#share(box.left + box.width / 2, box.top + box.height / 2);
  }

  #listen() {
    const { element } = this;
    element.addEventListener("wheel", event => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0025)), event.clientX, event.clientY);
    }, { passive: false });
    // The pane has gestures of its own; the browser, reading them too, would take the next tap for part of one.
    element.addEventListener("touchstart", event => event.preventDefault(), { passive: false });
    element.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      if (!this.#pointers.size) this.#moved = 0;
      this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, fromX: event.clientX, fromY: event.clientY });
      this.#pinch = this.#spread();
      this.dispatchEvent(new Event("active"));
    });
    element.addEventListener("pointermove", event => this.#pointed(event));
    element.addEventListener("pointerup", event => this.#released(event));
    element.addEventListener("pointercancel", event => this.#pointers.delete(event.pointerId));
  }

  #spread() {
    const [one, two] = [...this.#pointers.values()];
    return two ? Math.hypot(one.x - two.x, one.y - two.y) : 0;
  }

  #pointed(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    const dx = event.clientX - pointer.x, dy = event.clientY - pointer.y;
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    this.#moved = Math.max(this.#moved, Math.hypot(pointer.x - pointer.fromX, pointer.y - pointer.fromY));
    if (this.#pointers.size === 2) {
      const spread = this.#spread(), [one, two] = [...this.#pointers.values()];
      if (this.#pinch) this.zoomBy(spread / this.#pinch, (one.x + two.x) / 2, (one.y + two.y) / 2);
      this.#pinch = spread;
      this.#moved = Infinity;
    } else if (this.view.scale && this.#moved > CLICK_PX) {
      const box = this.stage.getBoundingClientRect(), { x, y } = this.#middle();
      this.#aim({ scale: this.view.scale, x: x - dx / box.width, y: y - dy / box.height });
    }
  }

  #released(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size) return;
    const across = pointer.x - pointer.fromX, down = pointer.y - pointer.fromY;
    if (this.#moved <= CLICK_PX) this.#clicked(event);
    else if (event.pointerType === "touch" && !this.view.scale && this.#moved < Infinity && Math.abs(across) > SWIPE_PX && Math.abs(across) > 2 * Math.abs(down))
      this.dispatchEvent(new CustomEvent("swipe", { detail: across < 0 ? 1 : -1 }));
  }

  #clicked(event) {
    const { clientX, clientY, timeStamp } = event;
    if (event.pointerType === "touch") {
      // One tap of a finger too easily happens: it takes two.
      const again = timeStamp - this.#tapped.at < DOUBLE_TAP_MS && Math.hypot(clientX - this.#tapped.x, clientY - this.#tapped.y) < 40;
      this.#tapped = { at: again ? 0 : timeStamp, x: clientX, y: clientY };
      if (!again) return;
    }
    if (this.view.scale) this.#aim({ scale: 0, x: 0.5, y: 0.5 });
    else this.zoomBy(this.close / this.fit, clientX, clientY);
  }
}
