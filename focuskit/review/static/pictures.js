// Pictures, and having the next ones before they are asked for.

const TRIES = 3;
const PAUSE_MS = 500;

/**
 * Where a picture of a shot is: "thumb", "photo", "overlay", "crop" or "full"; `how` for those that come in two ways.
 * A photo that is not where it was is shown as small as culling has kept it.
 */
export function pictureUrl(tile, kind, how = "") {
  const there = tile.flags.includes("missing") && (kind === "photo" || kind === "full") ? "thumb" : kind;
  const search = [tile.v && `v=${encodeURIComponent(tile.v)}`, how].filter(Boolean).join("&");
  return `/pictures/${tile.id}/${there}${search && `?${search}`}`;
}

/** Whether there is anything to see of a shot. */
export const hasPictures = tile => tile.verdict !== "failed";

/** Load and decode. A server with its hands full says so, and is asked again a little later. */
async function draw(image, url) {
  for (let tries = 1; ; tries += 1) {
    try {
      image.src = url;
      await image.decode();
      return;
    } catch (error) {
      if (tries >= TRIES || !image.getAttribute("src")) throw error;
      await new Promise(done => setTimeout(done, tries * PAUSE_MS));
    }
  }
}

/** Decoded pictures, the least recently used forgotten. */
export class Pictures {
  #kept = new Map();
  #most;

  constructor(most) {
    this.#most = most;
  }

  /** Begin to load and decode, or find what is here: {image, ready, drawn: a promise}. */
  want(url) {
    let entry = this.#kept.get(url);
    if (entry) this.#kept.delete(url);
    else {
      const image = new Image();
      image.alt = "";
      image.draggable = false;
      entry = { image, ready: false };
      entry.drawn = draw(image, url).then(() => { entry.ready = true; }, error => {
        this.#kept.delete(url);
        throw error;
      });
      // Who shows the picture hears of the failure; for a picture loaded ahead nobody has to.
      entry.drawn.catch(() => {});
    }
    this.#kept.set(url, entry);
    if (this.#kept.size > this.#most) this.#forget();
    return entry;
  }

  #forget() {
    for (const [url, { image }] of this.#kept) {
      // A picture on the page is in use.
      if (image.isConnected) continue;
      this.#kept.delete(url);
      if (!image.complete) image.removeAttribute("src");
      if (this.#kept.size <= this.#most) return;
    }
  }
}
