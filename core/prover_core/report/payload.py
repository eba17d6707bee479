"""The data that the page's own script reads: columns with shared texts, compressed, within a size limit."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prover_core.report.collect import cut
from prover_core.report.model import Cell, ReportData, Row
from prover_core.report.steps import Steps, Tree
from prover_core.store import AttemptStatus

__all__ = ["OUTCOMES", "STATUS_CODES", "Packed", "chosen_trees", "pack", "packed_script"]

STATUS_CODES: Final[Mapping[AttemptStatus, str]] = {
    AttemptStatus.PROVED: "p",
    AttemptStatus.FAILED: "f",
    AttemptStatus.OUT_OF_BUDGET: "b",
    AttemptStatus.REJECTED: "r",
    AttemptStatus.UNCHECKED: "u",
    AttemptStatus.CRASHED: "c",
    AttemptStatus.UNAVAILABLE: "a",
}
_ABSENT: Final = "."

OUTCOMES: Final = (
    "advanced", "solved", "tactic", "parse", "forbidden", "rejected", "timed_out", "out_of_memory", "crashed"
)  # fmt: skip
"""What can come of a tactic; refusals by their kind."""

_TEXT_LIMITS: Final = (6_000, 2_000, 700, 200, 0)
"""Characters of each statement and proof: the first of these with which the page keeps to its size."""


class _Texts:
    """Every text once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Its number."""
        place = self._places.get(text)
        if place is None:
            place = self._places[text] = len(self.texts)
            self.texts.append(text)
        return place


@dataclass(frozen=True, slots=True)
class Packed:
    """What goes into the page."""

    table: str
    """gzip, base64."""
    trees: str
    text_limit: int
    """Characters of a statement or proof that were kept."""
    tree_count: int


def chosen_trees(data: ReportData, most: int) -> list[set[str]]:
    """Uids, for each run, of the attempts whose trees are shown: at most ``most`` problems.

    First the problems that some runs proved and others did not, then the longest proofs.
    """

    def interest(row: Row) -> tuple[bool, int, str]:
        proved = {cell.proved for cell in row.cells if cell is not None and cell.n}
        longest = max((cell.steps for cell in row.cells if cell is not None), default=0)
        return (len(proved) < 2, -longest, row.key)

    rows = sorted(data.rows, key=interest)[:most]
    return [
        {cell.uid for row in rows if (cell := row.cells[run]) is not None and cell.uid}
        for run in range(len(data.runs))
    ]


def pack(data: ReportData, steps: Sequence[Steps], max_bytes: int) -> Packed:
    """Table and trees, together at most ``max_bytes`` of text where shortening texts can do it."""
    trees, count = _trees(steps, max_bytes // 3)
    limit, packed = 0, ""
    for limit in _TEXT_LIMITS:
        packed = _compressed(_table(data, steps, limit))
        if len(packed) + len(trees) <= max_bytes:
            break
    return Packed(packed, trees, limit, count)


def packed_script(ident: str, packed: str) -> str:
    """The element that holds it; base64 holds nothing that could end it."""
    return f'<script type="text/plain" id="{ident}">{packed}</script>'


def _compressed(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    raw = text.encode(errors="backslashreplace")
    return base64.b64encode(gzip.compress(raw, compresslevel=9, mtime=0)).decode()


def _table(data: ReportData, steps: Sequence[Steps], limit: int) -> dict[str, Any]:
    texts = _Texts()
    rows = data.rows
    problems: dict[str, Any] = {
        "name": [row.name for row in rows],
        "key": ["" if row.key == row.name else row.key for row in rows],
        "area": [texts(row.area) for row in rows],
    }
    if data.pairs is not None:
        problems["eq"] = [row.equivalence.value if row.pair else "" for row in rows]
        problems["note"] = [texts(row.pair.note) if row.pair and row.pair.note else -1 for row in rows]
        problems["other"] = [_other_statements(row, data, texts, limit) for row in rows]
    return {
        "runs": [
            {"label": run.label, "prover": run.prover, **_columns(rows, index, texts, limit, steps[index])}
            for index, run in enumerate(data.runs)
        ],
        "rows": problems,
        "texts": texts.texts,
    }


def _columns(rows: Sequence[Row], run: int, texts: _Texts, limit: int, steps: Steps) -> dict[str, Any]:
    cells = [row.cells[run] for row in rows]

    def each(value: Any, of: Any) -> list[Any]:
        return [value if cell is None else of(cell) for cell in cells]

    return {
        "status": "".join(_status(cell) for cell in cells),
        "s": each(0, lambda c: round(_shown(c, "seconds"), 3)),
        "tries": each(0, lambda c: _shown(c, "all_tries")),
        "found": each(0, lambda c: _shown(c, "tries") if c.proved else 0),
        "n": each(0, lambda c: len(c.attempts)),
        "c": each(0, lambda c: c.c),
        "id": [
            "" if cell is None or cell.theorem_id == row.key else cell.theorem_id
            for row, cell in zip(rows, cells, strict=True)
        ],
        "stmt": each(-1, lambda c: texts(cut(c.statement, limit)) if limit else -1),
        "proof": each(-1, lambda c: texts(cut(c.proof, limit)) if limit and c.proof else -1),
        "more": each(-1, lambda c: texts(_facts(c, limit)) if _facts(c, limit) else -1),
        "tree": each("", lambda c: c.uid if c.uid in steps.trees else ""),
    }


def _status(cell: Cell | None) -> str:
    return _ABSENT if cell is None else STATUS_CODES[cell.status]


def _shown(cell: Cell, what: str) -> Any:
    """Of the attempt that is shown."""
    return next((getattr(each, what) for each in cell.attempts if each.uid == cell.uid), 0)


def _facts(cell: Cell, limit: int) -> str:
    """Checker, axioms, what went wrong."""
    parts = [f"checked by {cell.checker}"] if cell.proved and cell.checker else []
    parts += [f"axioms: {', '.join(cell.axioms)}"] if cell.axioms else []
    parts += [cell.error_class] if cell.error_class else []
    parts += [cut(cell.detail, max(200, limit // 6))] if cell.detail and not cell.proved else []
    return "; ".join(parts)


def _other_statements(row: Row, data: ReportData, texts: _Texts, limit: int) -> list[list[Any]]:
    """[prover, id, text] of statements that the pairing table has in provers that no run is in."""
    if row.pair is None:
        return []
    return [
        [prover, name, texts(cut(row.pair.statements.get(prover, ""), limit)) if limit else -1]
        for prover, name in sorted(row.pair.ids.items())
        if prover not in data.provers
    ]


def _trees(steps: Sequence[Steps], max_bytes: int) -> tuple[str, int]:
    """All trees that fit, by uid; each run gets its share, smaller trees first where not all fit."""
    found = {uid: tree for each in steps for uid, tree in each.trees.items()}
    order = sorted(found, key=lambda uid: (found[uid].kept, uid))
    count = len(order)
    while True:
        texts = _Texts()
        trees = {uid: _tree(found[uid], texts) for uid in order[:count]}
        packed = _compressed({"texts": texts.texts, "outcomes": OUTCOMES, "trees": trees}) if trees else ""
        if len(packed) <= max_bytes or not count:
            break
        count = count * 3 // 4
    for each in steps:
        each.trees = {uid: tree for uid, tree in each.trees.items() if uid in trees}
    return packed, count


def _tree(tree: Tree, texts: _Texts) -> dict[str, Any]:
    """State number -> [text of the state, tactics, how many more were tried]."""
    return {
        str(node): [
            texts(tree.states.get(node, "")),
            [
                [
                    texts(edge.tactic),
                    OUTCOMES.index(edge.outcome) if edge.outcome in OUTCOMES else -1,
                    -1 if edge.child is None else edge.child,
                    round(edge.ms, 1),
                    round(edge.logprob, 2),
                    int(edge.positive) + 2 * int(edge.duplicate),
                    texts(edge.message) if edge.message else -1,
                ]
                for edge in edges
            ],
            tree.more[node],
        ]
        for node, edges in sorted(tree.edges.items())
    }
