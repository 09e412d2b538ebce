// The keys: one list, from which the page acts and which it shows when asked.

import { byId, make } from "./dom.js";

/** [keys as people read them, what they do, {key or code: action}] by chapter. */
const CHAPTERS = [
  ["Look", [
    ["← →", "Previous, next photo (in Compare: the frame beside)", { ArrowLeft: "left", ArrowRight: "right" }],
    ["↑ ↓", "Row above, below; in the large view the set before, after", { ArrowUp: "up", ArrowDown: "down" }],
    ["Space", "Next photo; Shift+Space: previous", { " ": "next", "shift+ ": "previous" }],
    ["Home End", "First, last photo", { Home: "first", End: "last" }],
    ["Page up, Page down", "A screen of rows", { PageUp: "page-up", PageDown: "page-down" }],
    ["Enter E", "Large view", { Enter: "open", e: "open" }],
    ["G Esc", "Back to the grid", { g: "grid", Escape: "grid" }],
    ["Z", "100 % at the judged point, and back", { z: "zoom" }],
    ["+ −", "Closer, farther; in Compare one frame more, one fewer", { "+": "more", "=": "more", "-": "fewer" }],
    ["O", "Blur map over the photo", { o: "overlay" }],
    ["A", "Focus points and judged box", { a: "points" }],
    ["C", "Compare two to four frames, zoomed and moved as one", { c: "compare" }],
    ["S", "Open or close a bracket, stack or panorama", { s: "stack" }],
    ["F", "Full screen", { f: "full" }],
  ]],
  ["Decide", [
    ["P", "Pick", { p: "pick" }],
    ["X", "Reject", { x: "reject" }],
    ["U", "Unset: neither picked nor rejected", { u: "unset" }],
    ["R", "Back to focuskit’s verdict", { r: "reset" }],
    ["1 2 3 4 5", "Stars; 0 for none", { 0: "stars-0", 1: "stars-1", 2: "stars-2", 3: "stars-3", 4: "stars-4", 5: "stars-5" }],
    ["6 7 8 9", "Label red, yellow, green, blue; once more takes it off", { 6: "label-red", 7: "label-yellow", 8: "label-green", 9: "label-blue" }],
    ["Shift+P Shift+X Shift+U", "Decide, and go to the next photo", { "shift+p": "pick+next", "shift+x": "reject+next", "shift+u": "unset+next" }],
    ["Caps Lock", "While it is on, every decision goes to the next photo", {}],
    ["Ctrl+Z", "Undo", { "ctrl+z": "undo" }],
    ["Ctrl+Shift+Z Ctrl+Y", "Redo", { "ctrl+shift+z": "redo", "ctrl+y": "redo" }],
  ]],
  ["Choose many, in the grid", [
    ["Shift+← → ↑ ↓", "Choose on the way", { "shift+ArrowLeft": "extend-left", "shift+ArrowRight": "extend-right", "shift+ArrowUp": "extend-up", "shift+ArrowDown": "extend-down" }],
    ["Shift+click Ctrl+click", "Choose up to here; choose one more", {}],
    ["Ctrl+A", "Choose all", { "ctrl+a": "all" }],
    ["Ctrl+D Esc", "Choose none", { "ctrl+d": "none" }],
  ]],
  ["The page", [
    ["/", "Find by name", { "/": "find" }],
    ["W", "Write back", { w: "write" }],
    ["?", "These keys", { "?": "keys" }],
  ]],
];

const ACTIONS = new Map(CHAPTERS.flatMap(([, lines]) => lines.flatMap(([, , keys]) => Object.entries(keys))));

/** Letters and digits by what is printed on the key, or by its place where another alphabet is printed. */
function keyName(event) {
  const { key, code } = event;
  if (/^Numpad\d$/.test(code)) return code.at(-1);
  // On some keyboards digits need Shift, on others signs do: the place of the key counts, but for signs with a deed.
  if (/^Digit\d$/.test(code) && !(event.shiftKey && /[/?+=]/.test(key))) return code.at(-1);
  if (key.length > 1) return key;
  if (/^[\x20-\x7e]$/.test(key)) return key.toLowerCase();
  return /^Key[A-Z]$/.test(code) ? code.at(-1).toLowerCase() : key;
}

/** The action that a key stands for, or null. */
export function actionOf(event) {
  if (event.altKey || event.isComposing) return null;
  const key = keyName(event), ctrl = event.ctrlKey || event.metaKey;
  const letter = /^[a-z]$/.test(key) || key.length > 1 || key === " ";
  const name = `${ctrl ? "ctrl+" : ""}${event.shiftKey && letter ? "shift+" : ""}${key}`;
  // With Caps Lock a letter comes as a capital, with Shift then as a small one: only Shift itself counts.
  return ACTIONS.get(name) ?? (event.shiftKey && !ctrl && /^[a-z]$/.test(key) ? ACTIONS.get(key) : null) ?? null;
}

export function fillKeyList() {
  const caps = words => words.split(" ").map(word => make("kbd", { text: word.replace(/,$/, "") }));
  const spaced = nodes => nodes.flatMap((node, i) => (i ? [" ", node] : [node]));
  byId("key-list").replaceChildren(...CHAPTERS.map(([chapter, lines]) =>
    make("section", {}, make("h3", { text: chapter }), make("dl", {}, ...lines.map(([keys, words]) =>
      make("div", {}, make("dt", {}, ...(/^(Page up|Caps)/.test(keys) ? spaced(keys.split(", ").map(text => make("kbd", { text }))) : spaced(caps(keys)))), make("dd", { text: words })))))));
}
