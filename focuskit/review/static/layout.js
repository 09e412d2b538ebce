// Where each shot lies on the table: rows of cells of one size.

const CLOSED = new Set(["bracket", "focus-stack", "panorama"]);

const startsClosed = kind => CLOSED.has(kind);

/** The name of a set while the page is open. */
export const setKey = group => `${group.kind}-${group.number}`;

const isSet = group => Boolean(group.kind) && group.shots.length > 1;

export function isClosed(group, opened) {
  return isSet(group) && startsClosed(group.kind) !== opened.has(setKey(group));
}

/** The cells of one group, in order. A closed set is one cell, which stands for all its shots. */
function cellsOf(group, opened) {
  const of = group.shots.length;
  if (!isSet(group)) return group.shots.map(id => ({ id, ids: [id], kind: null, of: 1, position: 1, group }));
  if (isClosed(group, opened))
    return [{ id: group.shots[0], ids: group.shots, kind: group.kind, of, position: 1, closed: true, group }];
  return group.shots.map((id, i) => ({ id, ids: [id], kind: group.kind, of, position: i + 1, group }));
}

/**
 * Lay groups out in rows of `columns` cells. A set that fits into one row is not broken.
 *
 * Returns rows (arrays of cells), cells (all, in order) and place (a Map from each shot's id to {row, column, index}).
 */
export function layOut(groups, columns, opened) {
  const rows = [], cells = [], place = new Map();
  let row = columns;
  const put = cell => {
    if (row >= columns) {
      rows.push([]);
      row = 0;
    }
    for (const id of cell.ids) place.set(id, { row: rows.length - 1, column: row, index: cells.length });
    rows.at(-1).push(cell);
    cells.push(cell);
    row += 1;
  };
  for (const group of groups) {
    const members = cellsOf(group, opened);
    if (members.length > 1 && group.kind && members.length > columns - row) row = columns;
    members.forEach(put);
  }
  return { rows, cells, place };
}
