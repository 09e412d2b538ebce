// Decisions written back into the library: a plan first, then the deed, then a way back.

import { download, post } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { plural } from "./words.js";

const STEPS = ["write-form", "plan", "written"];

export class WriteBack {
  #plan = null;
  #manifest = null;

  constructor(library) {
    this.dialog = byId("writing");
    this.form = byId("write-form");
    this.form.addEventListener("change", () => this.#fields());
    this.form.addEventListener("submit", event => { event.preventDefault(); this.#makePlan(); });
    byId("change-plan").addEventListener("click", () => this.#step("write-form"));
    byId("apply").addEventListener("click", () => this.#apply());
    byId("undo-writing").addEventListener("click", () => this.#undo());
    byId("export-xmp").addEventListener("click", event => this.#working(event.currentTarget, () => download("/api/export", { format: "xmp" }, "focuskit-xmp.zip")));
    const refused = library.can_write === true ? "" : library.can_write;
    byId("cannot-write").hidden = !refused;
    setText(byId("cannot-write"), refused);
    byId("make-plan").disabled = Boolean(refused);
    this.#fields();
  }

  open() {
    if (this.#manifest === null || byId("written").hidden) this.#step("write-form");
    this.dialog.showModal();
  }

  #step(wanted) {
    for (const step of STEPS) byId(step).hidden = step !== wanted;
    setText(byId("write-trouble"), "");
  }

  #fields() {
    byId("into").hidden = this.form.elements.action.value === "xmp";
  }

  /** Do one thing at a time and say why it did not work. */
  async #working(button, deed) {
    button.disabled = true;
    this.dialog.setAttribute("aria-busy", "true");
    setText(byId("write-trouble"), "");
    try {
      await deed();
    } catch (error) {
      setText(byId("write-trouble"), error.message);
    }
    button.disabled = false;
    this.dialog.removeAttribute("aria-busy");
  }

  #problems(id, problems) {
    byId(id).replaceChildren(...problems.map(text => make("li", { text })));
  }

  #makePlan() {
    return this.#working(byId("make-plan"), async () => {
      const { action, only, keeper, reject } = this.form.elements;
      const into = {};
      if (keeper.value.trim()) into.keeper = keeper.value.trim();
      if (reject.value.trim()) into.reject = reject.value.trim();
      const plan = await post("/api/plan", { action: action.value, only: only.value, into: action.value === "xmp" ? null : into });
      this.#plan = plan.plan;
      this.#step("plan");
      setText(byId("plan-summary"), plan.summary);
      this.#problems("plan-problems", plan.problems);
      setText(byId("plan-from"), action.value === "xmp" ? "Sidecar" : "From");
      setText(byId("plan-to"), action.value === "xmp" ? "Says" : "To");
      byId("plan-rows").replaceChildren(...plan.rows.map(({ what, from, to }) =>
        make("tr", {}, make("td", { text: what }), make("td", { text: from }), make("td", { text: to }))));
      const rest = plan.total - plan.rows.length;
      setText(byId("plan-rest"), rest > 0 ? `and ${plural(rest, "more row", "more rows")}` : "");
      byId("apply").disabled = plan.total === 0;
      byId("plan-summary").focus();
    });
  }

  #apply() {
    return this.#working(byId("apply"), async () => {
      const done = await post("/api/apply", { plan: this.#plan });
      this.#manifest = done.manifest;
      this.#written(done.summary, done.problems, Boolean(done.manifest));
    });
  }

  #undo() {
    return this.#working(byId("undo-writing"), async () => {
      const { undone, problems } = await post("/api/apply/undo", { manifest: this.#manifest });
      this.#manifest = null;
      this.#written(`Undone: ${plural(undone, "file is", "files are")} as before.`, problems, false);
    });
  }

  #written(summary, problems, canUndo) {
    this.#step("written");
    setText(byId("written-summary"), summary);
    this.#problems("written-problems", problems);
    byId("undo-writing").hidden = !canUndo;
    byId("written-summary").focus();
  }
}
