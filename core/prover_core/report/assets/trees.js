/* Search trees: drawn small as a whole, and as an outline that can be unfolded. Uses el, plural of page.js. */

const OUTCOME_WORDS = { tactic: "refused", rejected: "refused", parse: "not parsed", forbidden: "not allowed",
  timed_out: "timed out", out_of_memory: "out of memory", crashed: "prover crashed", advanced: "", solved: "closes it" };

let trees = null;

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/* Where each state stands: deeper to the right, in the order in which it was reached from its parent. */
function layout(tree, all) {
  const nodes = [];
  const edges = [];
  let leaves = 0;
  const place = (node, depth, above) => {
    const entry = tree[node];
    const spot = { node, depth, y: 0, open: Boolean(entry) };
    nodes.push(spot);
    const below = [];
    if (entry && !above.has(node)) {
      const seen = new Set(above).add(node);
      for (const edge of entry[1]) {
        if (!taken(edge, all) || (edge[2] < 0 && !(edge[5] & 1) && edge[5] & 2)) continue;
        const child = place(edge[2] < 0 ? `${node}.` : edge[2], depth + 1, seen);
        child.way = Boolean(edge[5] & 1);
        below.push(child);
        edges.push([spot, child, edge]);
      }
    }
    spot.y = below.length ? (below[0].y + below[below.length - 1].y) / 2 : leaves++;
    return spot;
  };
  place(0, 0, new Set());
  return { nodes, edges, leaves, depth: Math.max(...nodes.map((n) => n.depth)) };
}

function picture(tree, all, width) {
  const { nodes, edges, leaves, depth } = layout(tree, all);
  const across = Math.max(14, Math.min(64, Math.min(520, width - 20) / Math.max(1, depth)));
  const down = Math.max(3, Math.min(16, 240 / Math.max(1, leaves)));
  const x = (n) => 8 + n.depth * across;
  const y = (n) => 8 + n.y * down;
  const drawn = svg("svg", { width: 16 + depth * across, height: 16 + Math.max(0, leaves - 1) * down, role: "img",
    class: "tree-picture", "aria-label": `${plural(nodes.length, "state")}, ${depth} deep; the outline below says the same in words` });
  const byWay = [...edges].sort((a, b) => Number(Boolean(a[1].way)) - Number(Boolean(b[1].way)));
  for (const [from, to, edge] of byWay) {
    const middle = (x(from) + x(to)) / 2;
    drawn.append(svg("path", { d: `M${x(from)} ${y(from)}C${middle} ${y(from)} ${middle} ${y(to)} ${x(to)} ${y(to)}`,
      class: to.way ? "way" : "" }, svg("title", {}, all.texts[edge[0]])));
  }
  const r = Math.max(1.5, Math.min(4, down / 2.5));
  for (const n of nodes) {
    drawn.append(svg("circle", { cx: x(n), cy: y(n), r: n.way || n.node === 0 ? Math.max(3, r) : r,
      class: n.way || (n.node === 0 && edges.some((e) => e[1].way)) ? "way" : n.open ? "tried" : "" }));
  }
  return drawn;
}

function drawTree(tree, all, width) {
  const states = Object.keys(tree).length;
  const proved = Object.values(tree).some((entry) => entry[1].some((edge) => edge[5] & 1));
  const box = el("div", { class: "tree-box" });
  const goals = el("pre", { class: "goals", tabindex: "0", role: "group", "aria-label": "Goals of the state", "aria-live": "polite" });
  const showState = (node) => { goals.textContent = node === undefined || !tree[node] ? "" : all.texts[tree[node][0]]; };
  box.append(el("p", { class: "note" }, `${plural(states, "state")} with tactics tried${proved ? "; the way of the proof stands out" : ""}.`),
    el("div", { class: "tree-scroll", tabindex: "0", role: "group", "aria-label": "Search tree, drawn" }, picture(tree, all, width)),
    el("div", { class: "tree-grid" }, branch(tree, all, 0, showState, new Set()), goals));
  showState(0);
  return box;
}

function branch(tree, all, node, showState, above) {
  const list = el("ul", { class: "branch" });
  const entry = tree[node];
  if (!entry) return list;
  const seen = new Set(above).add(node);
  const edges = [...entry[1]].sort((a, b) => (b[5] & 1) - (a[5] & 1) || (a[2] < 0) - (b[2] < 0));
  const refused = edges.filter((edge) => !taken(edge, all));
  for (const edge of edges) if (taken(edge, all)) list.append(twig(tree, all, edge, showState, seen, node));
  const hidden = refused.length + entry[2];
  if (hidden) {
    const box = el("details", { class: "refused" }, el("summary", {}, `${plural(hidden, "tactic")} led nowhere`));
    box.addEventListener("toggle", () => {
      if (!box.open || box.childElementCount > 1) return;
      box.append(el("ul", {}, ...refused.map((edge) => twig(tree, all, edge, showState, seen, node)),
        entry[2] ? el("li", { class: "note" }, `and ${entry[2].toLocaleString("en")} more, not kept`) : ""));
    });
    list.append(el("li", {}, box));
  }
  return list;
}

const taken = (edge, all) => ["advanced", "solved"].includes(all.outcomes[edge[1]]);

function twig(tree, all, edge, showState, above, from) {
  const [tactic, outcome, child, ms, logprob, marks, message] = edge;
  const kind = all.outcomes[outcome] || "other";
  const label = el("span", { class: `tactic o-${kind}${marks & 1 ? " way" : ""}` }, el("code", {}, all.texts[tactic]));
  const facts = [OUTCOME_WORDS[kind], marks & 2 ? "known state" : "", `${ms} ms`, logprob ? `log p ${logprob}` : ""].filter(Boolean);
  label.append(el("span", { class: "facts" }, facts.join(", ")));
  if (message >= 0) label.append(el("span", { class: "message" }, all.texts[message]));
  if (child < 0 || !tree[child] || above.has(child)) {
    const leaf = el("li", {}, label);
    leaf.addEventListener("mouseenter", () => showState(from));
    return leaf;
  }
  const box = el("details", { open: Boolean(marks & 1) }, el("summary", {}, label));
  const fill = () => { if (box.open && box.childElementCount === 1) box.append(branch(tree, all, child, showState, above)); };
  box.addEventListener("toggle", fill);
  box.firstChild.addEventListener("focus", () => showState(child));
  box.firstChild.addEventListener("mouseenter", () => showState(child));
  fill();
  return el("li", {}, box);
}

