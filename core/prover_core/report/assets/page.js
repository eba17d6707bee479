/* The table of theorems. Every text is put in as text, never as markup. Uses startTheme of theme.js, drawTree of trees.js. */

const STATUS = {
  p: ["proved", "✓"], f: ["failed", "–"], b: ["out of budget", "–"], r: ["refused by the check", "×"],
  u: ["check broke", "!"], c: ["machinery broke", "!"], a: ["could not be opened", "!"],
  ".": ["not attempted", ""],
};
const PAGE_SIZES = [25, 50, 100, 250];
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function seconds(s) {
  const three = (value) => (value < 100 ? Number(value.toPrecision(3)) : Math.round(value)).toLocaleString("en");
  if (s < 0.001) return s > 0 ? "<1 ms" : "0 s";
  if (s < 0.9995) return `${three(1000 * s)} ms`;
  if (s < 60) return `${three(s)} s`;
  return s < 3600 ? `${three(s / 60)} min` : `${three(s / 3600)} h`;
}

const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/* --- the table ------------------------------------------------------------------------------------- */

class Theorems {
  constructor(data, app) {
    this.data = data;
    this.runs = data.runs;
    this.rows = data.rows;
    this.count = data.rows.name.length;
    this.app = app;
    this.page = 0;
    this.size = 50;
    this.sort = { by: "default", down: false };
    this.filters = { text: "", status: "", area: "", eq: "" };
    this.shown = Array.from({ length: this.count }, (_, i) => i);
    this.open = new Set();
    this.searchable = new Array(this.count);
    this.several = this.runs.length > 1;
    this.areas = [...new Set(this.rows.area)].map((i) => this.text(i)).sort();
    this.build();
    this.update();
    this.fromHash();
    addEventListener("hashchange", () => this.fromHash());
  }

  text(index) { return index < 0 || index === undefined ? "" : this.data.texts[index]; }

  build() {
    const search = el("input", { type: "search", id: "q", placeholder: "Name, statement or proof", autocomplete: "off",
      spellcheck: "false" });
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.filter("text", search.value.trim().toLowerCase()), 80);
    });
    this.search = search;
    const controls = [this.labelled("Search", search), this.labelled("Result", this.select("status", this.resultChoices()))];
    if (this.areas.length > 1) controls.push(this.labelled("Area", this.select("area", [["", "all"], ...this.areas.map((a) => [a, a])])));
    if (this.rows.eq) {
      const flags = ["certified", "audited", "differs", "unknown"].filter((flag) => this.rows.eq.includes(flag));
      const choices = [["", "all"], ["vouched", "certified or audited"], ...flags.map((f) => [f, f]), ["none", "not paired"]];
      controls.push(this.labelled("Statements", this.select("eq", choices)));
    }
    this.sortSelect = el("select", { id: "sort" }, ...this.sortChoices().map(([value, name]) => el("option", { value }, name)));
    this.sortSelect.addEventListener("change", () => {
      const [by, down] = this.sortSelect.value.split("/");
      this.sortBy(by, down === "down");
    });
    controls.push(this.labelled("Sort", this.sortSelect));
    this.status = el("p", { class: "count", role: "status", "aria-live": "polite" });
    this.body = el("tbody", { role: "rowgroup" }); // roles: on a phone the parts of the table are shown as blocks
    this.head = el("tr", { role: "row" }, ...this.columns().map((column) => this.header(column)));
    const table = el("table", { class: "theorems", role: "table", "aria-label": "Theorems" },
      el("thead", { role: "rowgroup" }, this.head), this.body);
    this.pager = el("div", { class: "pager" });
    this.app.append(el("div", { class: "controls", role: "search" }, ...controls), this.status,
      el("div", { class: this.runs.length < 5 ? "scroll few" : "scroll" }, table), this.pager);
  }

  labelled(name, control) { return el("label", {}, el("span", {}, name), control); }

  select(filter, choices) {
    const made = el("select", { id: `f-${filter}` }, ...choices.map(([value, name]) => el("option", { value }, name)));
    made.addEventListener("change", () => this.filter(filter, made.value));
    return made;
  }

  resultChoices() {
    const choices = [["", "all"]];
    if (this.several) choices.push(["any", "proved by some run"], ["all", "proved by every run"], ["split", "runs disagree"]);
    this.runs.forEach((run, i) => choices.push([`p${i}`, this.several ? `proved by ${run.label}` : "proved"]));
    if (this.several) this.runs.forEach((run, i) => choices.push([`o${i}`, `proved only by ${run.label}`]));
    choices.push(["none", this.several ? "proved by no run" : "not proved"], ["broken", "machinery failed"]);
    return choices;
  }

  columns() {
    const columns = [{ by: "name", name: "Theorem" }];
    if (this.areas.length > 1) columns.push({ by: "area", name: "Area" });
    if (this.rows.eq) columns.push({ by: "eq", name: "Statements" });
    this.runs.forEach((run, i) => columns.push({ by: `run${i}`, name: run.label, run: i }));
    return columns;
  }

  sortChoices() {
    const areas = this.areas.length > 1;
    return [["default/", areas ? "area, then name" : "id"], ["name/", "name"], ["name/down", "name, Z first"],
      ...(this.rows.eq ? [["eq/", "statements"]] : []),
      ...this.runs.flatMap((run, i) => [[`run${i}/`, `${run.label}: fastest first`], [`run${i}/down`, `${run.label}: slowest first`]]),
      ...(areas ? [["area/", "area"], ["area/down", "area, Z first"]] : []), ...(this.rows.eq ? [["eq/down", "statements, unknown first"]] : [])];
  }

  header(column) {
    const button = el("button", { type: "button", class: "sort" }, column.name);
    if (column.run !== undefined) button.prepend(el("span", { class: `swatch s${column.run % 8}` }));
    button.addEventListener("click", () => {
      this.sortBy(column.by, this.sort.by === column.by && !this.sort.down);
    });
    const cell = el("th", { scope: "col", role: "columnheader", "data-by": column.by }, button);
    return cell;
  }

  sortBy(by, down) {
    this.sort = { by, down };
    this.page = 0;
    this.update();
  }

  filter(name, value) {
    this.filters[name] = value;
    this.page = 0;
    this.update();
  }

  /* Go to the theorem that the address names: nothing is filtered away, its page is shown, it is opened. */
  fromHash() {
    const match = /^#t=(.*)$/.exec(location.hash);
    if (!match) return;
    let name = "";
    try { name = decodeURIComponent(match[1]); } catch { return; }
    const named = this.rows.name.findIndex((n, i) => (this.rows.key[i] || n) === name);
    const row = named < 0 ? this.rows.name.indexOf(name) : named;
    if (row < 0) return;
    this.filters = { text: "", status: "", area: "", eq: "" };
    for (const control of this.app.querySelectorAll("#q, [id^=f-]")) control.value = "";
    this.open.add(row);
    this.update();
    this.page = Math.floor(this.shown.indexOf(row) / this.size);
    this.draw();
    const line = this.body.querySelector(`[data-row="${row}"]`);
    line.scrollIntoView({ behavior: "instant" });
    line.querySelector("button").focus({ preventScroll: true });
  }

  proved(row, run) { return this.runs[run].status[row] === "p"; }

  haystack(row) {
    if (!this.searchable[row]) {
      const parts = [this.rows.name[row], this.rows.key[row], this.text(this.rows.area[row])];
      for (const run of this.runs) parts.push(run.id[row], this.text(run.stmt[row]), this.text(run.proof[row]), this.text(run.more[row]));
      for (const [, name, text] of (this.rows.other ? this.rows.other[row] : [])) parts.push(name, this.text(text));
      this.searchable[row] = parts.join("\n").toLowerCase();
    }
    return this.searchable[row];
  }

  passes(row) {
    const { text, status, area, eq } = this.filters;
    if (area && this.text(this.rows.area[row]) !== area) return false;
    if (eq && !this.passesFlag(this.rows.eq[row], eq)) return false;
    if (status && !this.passesStatus(row, status)) return false;
    return !text || this.haystack(row).includes(text);
  }

  passesFlag(flag, wanted) {
    if (wanted === "vouched") return flag === "certified" || flag === "audited";
    return wanted === "none" ? flag === "" : flag === wanted;
  }

  passesStatus(row, wanted) {
    const by = this.runs.map((_, i) => this.proved(row, i));
    const some = by.includes(true);
    const not = this.runs.map((run, i) => !by[i] && "fbr".includes(run.status[row])); // tried in earnest, and not proved
    if (wanted === "any") return some;
    if (wanted === "all") return !by.includes(false);
    if (wanted === "split") return some && not.includes(true);
    if (wanted === "none") return !some;
    if (wanted === "broken") return this.runs.some((run) => "uca".includes(run.status[row]));
    const run = Number(wanted.slice(1));
    return by[run] && (wanted[0] === "p" || not.filter(Boolean).length === by.length - 1);
  }

  order(list) {
    const { by, down } = this.sort;
    if (by === "default") return list;
    const sign = down ? -1 : 1;
    if (by.startsWith("run")) {
      const run = this.runs[Number(by.slice(3))];
      const rank = (row) => (run.status[row] === "p" ? 0 : run.status[row] === "." ? 2 : 1);
      return list.sort((a, b) => rank(a) - rank(b) || sign * (run.s[a] - run.s[b]) || a - b);
    }
    const flags = ["certified", "audited", "differs", "unknown", ""];
    const collator = new Intl.Collator("en", { numeric: true });
    const value = by === "eq"
      ? (a, b) => flags.indexOf(this.rows.eq[a]) - flags.indexOf(this.rows.eq[b])
      : by === "area"
        ? (a, b) => collator.compare(this.text(this.rows.area[a]), this.text(this.rows.area[b]))
        : (a, b) => collator.compare(this.rows.name[a], this.rows.name[b]);
    return list.sort((a, b) => sign * value(a, b) || a - b);
  }

  update() {
    const kept = [];
    for (let row = 0; row < this.count; row++) if (this.passes(row)) kept.push(row);
    this.shown = this.order(kept);
    this.page = Math.min(this.page, Math.max(0, Math.ceil(this.shown.length / this.size) - 1));
    this.sortSelect.value = `${this.sort.by}/${this.sort.down ? "down" : ""}`;
    for (const cell of this.head.children) {
      const mine = cell.dataset.by === this.sort.by;
      if (mine) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.draw();
  }

  draw() {
    const start = this.page * this.size;
    const rows = this.shown.slice(start, start + this.size);
    this.body.replaceChildren(...rows.flatMap((row) => this.row(row)));
    const total = this.shown.length;
    const filtered = total < this.count ? ` of ${this.count.toLocaleString("en")}` : "";
    this.status.textContent = total ? `${plural(total, "theorem")}${filtered}, ${start + 1} to ${start + rows.length} shown`
      : this.count ? "No theorem is like that." : "No theorem was attempted.";
    this.drawPager();
  }

  drawPager() {
    const pages = Math.ceil(this.shown.length / this.size);
    const go = (page, focus) => () => {
      this.page = page;
      this.draw();
      document.getElementById("theorems").scrollIntoView();
      const again = this.pager.querySelector(`[data-go="${focus}"]`);
      const next = again && !again.disabled ? again : this.pager.querySelector("[data-go]:not([disabled])");
      if (next) next.focus({ preventScroll: true });
    };
    const size = el("select", { id: "size" }, ...PAGE_SIZES.map((n) => el("option", { value: n, selected: n === this.size }, String(n))));
    size.addEventListener("change", () => { this.size = Number(size.value); this.page = 0; this.draw(); });
    this.pager.replaceChildren(
      el("button", { type: "button", "data-go": "previous", disabled: this.page === 0, onclick: go(this.page - 1, "previous") }, "Previous"),
      el("span", {}, pages ? `Page ${this.page + 1} of ${pages}` : ""),
      el("button", { type: "button", "data-go": "next", disabled: this.page + 1 >= pages, onclick: go(this.page + 1, "next") }, "Next"),
      this.labelled("Per page", size));
  }

  row(row) {
    const opened = this.open.has(row);
    const button = el("button", { type: "button", class: "name", "aria-expanded": String(opened), "aria-controls": `d${row}` },
      el("span", { class: "caret", "aria-hidden": "true" }), el("bdi", {}, this.rows.name[row]));
    const cells = [el("th", { scope: "row", role: "rowheader" }, button)];
    if (this.areas.length > 1) cells.push(el("td", { class: "area", role: "cell" }, this.text(this.rows.area[row])));
    if (this.rows.eq) cells.push(el("td", { class: "eq", role: "cell" }, this.flag(this.rows.eq[row])));
    this.runs.forEach((_, i) => cells.push(this.cell(row, i)));
    const line = el("tr", { class: "row", role: "row", "data-row": row }, ...cells);
    const made = [line];
    const toggle = () => {
      if (this.open.delete(row)) {
        line.nextSibling.remove();
      } else {
        this.open.add(row);
        line.after(this.detail(row));
      }
      button.setAttribute("aria-expanded", String(this.open.has(row)));
    };
    button.addEventListener("click", toggle);
    if (opened) made.push(this.detail(row));
    return made;
  }

  flag(flag) { return flag ? el("span", { class: `flag ${flag}` }, flag) : ""; }

  cell(row, index) {
    const run = this.runs[index];
    const code = run.status[row];
    const [word, mark] = STATUS[code];
    const told = code === "p" ? seconds(run.s[row]) : code === "." ? "–" : word;
    const many = run.n[row] > 1 ? ` ${run.c[row]}/${run.n[row]}` : "";
    return el("td", { role: "cell", class: `status st-${code === "." ? "none" : code}`, "data-label": run.label, title: `${run.label}: ${word}` },
      el("span", { class: "mark", "aria-hidden": "true" }, mark), el("span", { class: "visually-hidden" }, code === "p" ? "proved " : ""),
      told, many ? el("span", { class: "of" }, many) : "");
  }

  /* --- one theorem -------------------------------------------------------------------------------- */

  detail(row) {
    const span = this.columns().length;
    const provers = [...new Set(this.runs.map((run) => run.prover))];
    const sides = provers.map((prover) => this.side(row, prover));
    for (const [prover, name, text] of (this.rows.other ? this.rows.other[row] : [])) {
      sides.push(el("div", { class: "side" }, el("h3", {}, `${prover} `, el("bdi", { class: "muted" }, name)), this.code(this.text(text)),
        el("p", { class: "note" }, "No run in this prover.")));
    }
    const facts = [this.rows.key[row], this.rows.note ? this.text(this.rows.note[row]) : ""].filter(Boolean);
    const link = el("a", { href: `#t=${encodeURIComponent(this.rows.key[row] || this.rows.name[row])}` }, "Link to this theorem");
    return el("tr", { class: "detail", role: "row", id: `d${row}` }, el("td", { colspan: span, role: "cell" },
      el("p", { class: "facts" }, ...facts.map((fact) => el("bdi", {}, fact)), link), el("div", { class: "sides" }, ...sides)));
  }

  side(row, prover) {
    const mine = this.runs.map((run, i) => [run, i]).filter(([run]) => run.prover === prover);
    const there = mine.filter(([run]) => run.status[row] !== ".");
    const made = el("div", { class: "side" }, el("h3", {}, prover));
    if (!there.length) made.append(el("p", { class: "note" }, "Not attempted in this prover."));
    const id = there.length ? there[0][0].id[row] : "";
    if (id) made.firstChild.append(" ", el("bdi", { class: "muted" }, id));
    let before = null;
    let attempts = null;
    for (const [run, index] of there) {
      if (run.stmt[row] !== before) {
        before = run.stmt[row];
        attempts = el("div", { class: "attempts" });
        made.append(this.code(this.text(before)), attempts);
      }
      attempts.append(this.attempt(row, run, index));
    }
    return made;
  }

  attempt(row, run, index) {
    const code = run.status[row];
    const head = el("p", { class: "attempt" }, el("span", { class: `swatch s${index % 8}` }), el("b", {}, run.label), ` ${STATUS[code][0]}, `,
      `${seconds(run.s[row])}, ${run.tries[row] === 1 ? "1 try" : `${run.tries[row].toLocaleString("en")} tries`}`,
      run.found[row] && run.found[row] < run.tries[row] ? `, ${run.found[row].toLocaleString("en")} until the proof` : "",
      run.n[row] > 1 ? `, ${run.c[row]} of ${run.n[row]} attempts proved it` : "");
    const made = el("div", { class: "made" }, head);
    const proof = this.text(run.proof[row]);
    const statement = this.text(run.stmt[row]);
    const rest = statement && proof.startsWith(statement) ? proof.slice(statement.length).replace(/^\s*\n|^ +(?=:=)/, "") : proof;
    if (proof) made.append(this.code(rest, code === "p" ? "proof" : "proof doubtful"));
    const more = this.text(run.more[row]);
    if (more) made.append(el("p", { class: "note" }, more));
    if (run.tree[row]) made.append(this.treeHolder(run.tree[row]));
    return made;
  }

  code(text, kind = "") {
    return text ? el("pre", { class: kind, tabindex: "0" }, el("code", {}, text)) : el("p", { class: "note" }, "The text was left out to keep this page small.");
  }

  treeHolder(uid) {
    const holder = el("details", { class: "tree" }, el("summary", {}, "Search tree"));
    holder.addEventListener("toggle", async () => {
      if (!holder.open || holder.childElementCount > 1) return;
      trees = trees || unpack("data-trees");
      const all = await trees;
      const tree = all && all.trees[uid];
      holder.append(tree ? drawTree(tree, all, holder.clientWidth) : el("p", { class: "note" }, "This tree was left out to keep the page small."));
    });
    return holder;
  }
}

/* --- start ------------------------------------------------------------------------------------------ */

addEventListener("DOMContentLoaded", async () => {
  startTheme();
  const app = document.getElementById("app");
  try {
    const data = await unpack("data-table");
    new Theorems(data, app);
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  } catch (error) {
    app.append(el("p", { class: "warn" }, `The table cannot be shown: ${error.message}.`));
    throw error;
  }
});
