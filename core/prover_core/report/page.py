"""The page, put together: one file, no network, its own script and style allowed by their hashes alone."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

from prover_core._version import __version__
from prover_core.report import overview, sections
from prover_core.report.model import ReportData
from prover_core.report.payload import Packed, chosen_trees, pack, packed_script
from prover_core.report.steps import Steps, read_steps
from prover_core.report.svg import counted, esc
from prover_core.store import RunStore

__all__ = ["ReportOptions", "render"]

_SCRIPTS = ("inflate.js", "theme.js", "trees.js", "page.js")
_DARK = ':root[data-theme="dark"]'


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the page is made with."""

    title: str = ""
    """Empty: made of the runs' labels."""
    trees: int = 200
    """Most problems whose search trees are shown; 0: none, and trajectories are not read."""
    max_mb: float = 15.0
    """Size that the page keeps to, by shortening statements and proofs."""


def render(data: ReportData, options: ReportOptions | None = None) -> str:
    """The whole page. The same runs give the same page, to the byte.

    :raises RunStoreError: trajectories cannot be read.
    """
    chosen = options or ReportOptions()
    steps = _steps(data, chosen.trees)
    title = chosen.title or _title(data)
    body = "".join(
        [
            _header(data, title),
            "<main>",
            overview.first_words(data),
            overview.summary(data),
            overview.comparison(data),
            sections.curves(data),
            sections.costs(data, steps),
        ]
    )
    tail = sections.provenance(data) + sections.reading(data) + "</main>" + _footer()
    room = int(chosen.max_mb * 1_000_000) - len(body.encode()) - len(tail.encode()) - 150_000
    packed = pack(data, steps, max(room, 100_000))
    return _document(title, body + _table_section(data, packed, chosen) + tail, packed)


def _steps(data: ReportData, trees: int) -> list[Steps]:
    if not trees:
        return [Steps() for _ in data.runs]
    read = []
    for run, uids in zip(data.runs, chosen_trees(data, trees), strict=True):
        found = Steps()
        for folder in run.folders:
            with RunStore.open(folder) as store:
                read_steps(store, uids, found)
        read.append(found)
    return read


def _title(data: ReportData) -> str:
    names = [run.label for run in data.runs]
    return " · ".join(names) if len(names) <= 4 else f"{len(names)} runs"


def _header(data: ReportData, title: str) -> str:
    links = [("summary", "Summary"), ("charts", "Solved"), ("costs", "Time and failures"),
             ("theorems", "Theorems"), ("provenance", "Provenance")]  # fmt: skip
    if len(data.runs) > 1:
        links.insert(1, ("comparison", "Comparison"))
    nav = "".join(f'<a href="#{ident}">{name}</a>' for ident, name in links)
    provers = ", ".join(
        dict.fromkeys(
            f"{run.provenance.toolchain.prover} {run.provenance.toolchain.version}"
            if run.provenance.toolchain
            else run.prover
            for run in data.runs
            if run.provenance.toolchain or run.prover
        )
    )
    sizes = f"{counted(len(data.rows), 'problem')}, {counted(len(data.runs), 'run')}"
    sizes += f": {provers}" if provers else ""
    return (
        '<a class="skip" href="#theorems">Skip to the theorems</a>'
        f'<header><div class="top"><div><p class="kind">Polyprover report</p><h1>{esc(title)}</h1>'
        f'<p class="sub">{esc(sizes)}</p></div>'
        '<button id="theme" type="button" hidden>Dark</button></div>'
        f'<nav aria-label="Sections">{nav}</nav></header>'
    )


def _table_section(data: ReportData, packed: Packed, options: ReportOptions) -> str:
    said = []
    if packed.text_limit < 6_000:
        cut = f"cut to {packed.text_limit} characters" if packed.text_limit else "left out"
        said.append(f"To keep the page small, statements and proofs are {cut}.")
    if packed.tree_count:
        said.append(f"Search trees: {packed.tree_count} attempts, at most {options.trees} problems.")
    notes = f'<p class="note">{esc(" ".join(said))}</p>' if said else ""
    return (
        f'<section id="theorems"><h2>Theorems</h2>{notes}'
        "<noscript><p class=warn>The table of theorems needs JavaScript; nothing is loaded from anywhere.</p>"
        '</noscript><div id="app" data-count="' + str(len(data.rows)) + '"></div></section>'
    )


def _footer() -> str:
    said = f"Made by Polyprover {__version__}. This file stands alone: it loads nothing."
    return f"<footer><p>{esc(said)}</p></footer>"


def _document(title: str, body: str, packed: Packed) -> str:
    style, script = _style(), "".join(map(_asset, _SCRIPTS))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    data = [packed_script("data-table", packed.table)]
    if packed.trees:
        data.append(packed_script("data-trees", packed.trees))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{esc(title)}</title>\n<style>{style}</style>\n<script>{script}</script>\n</head>\n"
        f"<body>\n{_patterns()}{body}\n{''.join(data)}\n</body>\n</html>\n"
    )


def _patterns() -> str:
    """Hatching for what the machinery did: told apart without colour."""
    lines = "".join(
        f'<pattern id="hatch-{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate({turn})"><rect width="6" height="6" class="hatch-bg {name}"/>'
        f'<line x1="0" y1="0" x2="0" y2="6" class="hatch-line"/></pattern>'
        for name, turn in (("crashed", 45), ("unchecked", -45), ("unavailable", 0))
    )
    return f'<svg class="defs" width="0" height="0" aria-hidden="true"><defs>{lines}</defs></svg>'


def _style() -> str:
    """The style sheet; what is dark by choice is dark by the system's wish too, and paper is always light."""
    sheet = _asset("page.css")
    start = sheet.index(_DARK)
    end = sheet.index("}", start) + 1
    dark = sheet[start:end]
    wished = dark.replace(_DARK, ':root:not([data-theme="light"])')
    return (
        f"{sheet[:start]}@media screen {{{dark}}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{{wished}}}{sheet[end:]}"
    )


def _asset(name: str) -> str:
    return resources.files("prover_core.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
