// Talking to focuskit.

const POST = { "Content-Type": "application/json", "X-Focuskit": "1" };

/** Why an answer did not come. `lasting`: the same question would fail again. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
    this.lasting = status >= 400 && status < 500 && ![401, 403, 408, 425, 429].includes(status);
  }
}

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("focuskit does not answer. Is `focuskit review` still running?", 0);
  }
  if (response.ok) return response;
  let said = "";
  try {
    said = (await response.json()).error;
  } catch {
    // Not an answer of focuskit's own: the number is all there is to say.
  }
  if (response.status === 401 || response.status === 403)
    said ||= "This window is no longer signed in: open the address that `focuskit review` printed.";
  throw new Refusal(said || `focuskit answered with error ${response.status}.`, response.status);
}

export async function get(path, signal) {
  return (await answer(fetch(path, { credentials: "same-origin", signal }))).json();
}

const send = (path, body) =>
  answer(fetch(path, { method: "POST", credentials: "same-origin", headers: POST, body: JSON.stringify(body) }));

export const post = async (path, body) => (await send(path, body)).json();

/** Ask for a file and hand it to the browser's downloads. */
export async function download(path, body, name) {
  const url = URL.createObjectURL(await (await send(path, body)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the file after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** crypto.randomUUID is missing where the page comes over plain HTTP from another machine. */
export const client = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0"))
  .join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

/** A query from a filter: arrays repeat, empty values are left out. */
export function query(wanted) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(wanted))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== "" && each !== null && each !== undefined && each !== false) search.append(key, each === true ? "1" : each);
  const text = search.toString();
  return text && `?${text}`;
}
