// What a shot's state is called and which drawing stands for it.

export const VERDICTS = { keeper: "Keeper", reject: "Reject", "cant-tell": "Can’t tell", failed: "Not judged" };
export const SETS = { burst: "Burst", bracket: "Bracket", "focus-stack": "Focus stack", panorama: "Panorama" };
export const LABELS = ["", "red", "yellow", "green", "blue", "purple"];

const OWN = { keeper: "Picked", reject: "Rejected", unset: "Unset" };

/** What counts now: a person's word, or else the run's. */
export function counts(tile) {
  if (tile.pick === "unset") return "cant-tell";
  return tile.pick ?? tile.verdict;
}

/** Words for what counts now. Other words for a person's decision than for the run's. */
export function verdictWords(tile) {
  return tile.pick ? OWN[tile.pick] : VERDICTS[tile.verdict];
}

/** Drawings: outlined = focuskit says so, filled = a person does. */
export function verdictIcon(tile) {
  if (tile.pick === "unset") return "unset";
  return tile.pick ? `${tile.pick}-own` : tile.verdict;
}

export const starText = stars => (stars ? "★".repeat(stars) : "");

export const capital = word => word.charAt(0).toUpperCase() + word.slice(1);

export const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export const setWords = (kind, n) => `${SETS[kind] ?? capital(kind)} of ${n}`;

/** All that a tile shows, as one sentence for a screen reader. */
export function describe(tile, cell) {
  const said = [tile.name, verdictWords(tile)];
  if (tile.score !== null) said.push(`score ${Math.round(tile.score)}`);
  if (tile.stars) said.push(plural(tile.stars, "star"));
  if (tile.label) said.push(`${tile.label} label`);
  if (cell?.closed) said.push(`${setWords(cell.kind, cell.of)}, closed`);
  else if (cell?.kind) said.push(`${cell.position} of ${setWords(cell.kind, cell.of).toLowerCase()}`);
  if (tile.flags.includes("missing")) said.push("file not found");
  if (tile.flags.includes("stale")) said.push("changed since it was judged");
  if (tile.flags.includes("new")) said.push("new since the last look");
  return said.join(", ");
}
