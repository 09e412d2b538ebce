// Elements, made without markup: all text goes in as text, so a file name stays a file name.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; a prop is an attribute, or `text`, `data` (an object) or `on` (an object of listeners). */
export function make(name, props = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "on") for (const [type, heard] of Object.entries(value)) element.addEventListener(type, heard);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** A drawing from icons.svg; it says nothing to a screen reader, so put words beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "use"));
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  const href = `/static/icons.svg#${name}`;
  const use = svg.firstElementChild;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** Write text only where it differs: a grid redraws far more often than it changes. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const byId = id => document.getElementById(id);

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Call `act` once things have been quiet for `ms`. */
export function settled(act, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...args), ms);
  };
}

const memory = name => `focuskit-review-${name}`;

/** Read a setting of this browser; storage can be turned off, and then nothing is remembered. */
export function recall(name, otherwise) {
  try {
    return localStorage.getItem(memory(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(memory(name), value);
  } catch {
    // Private windows refuse: the setting lasts as long as the page.
  }
}
