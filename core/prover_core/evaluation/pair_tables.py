"""Pairing tables read from where people have them: miniF2F, PutnamBench, a CSV file of one's own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from prover_core.data.files import disk_error
from prover_core.data.lines import Problems
from prover_core.data.rows import read_json_document, read_rows
from prover_core.errors import DataError, UnknownNameError
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable, listed, prover_name

__all__ = ["CSV_COLUMNS", "PAIR_KINDS", "read_pairs"]

PAIR_KINDS: Final[Mapping[str, str]] = {
    "minif2f": "miniF2F in Lean 4 and Rocq: a .jsonl file with id, lean4 and rocq (or its folder), or the "
    "two checkouts, joined by a comma; flags from audit.json or rocq_audit.json beside the Rocq texts",
    "putnambench": "PutnamBench in Lean 4 and Coq: its checkout, or a folder with ids_lean4.txt and "
    "ids_coq.txt",
    "csv": "your own table, one problem a line",
}

CSV_COLUMNS: Final[Mapping[str, str]] = {
    "problem": "name of the problem; where the column is missing, the first id of the line",
    "PROVER": "one column for each prover, called as --env calls it (lean4, coq, ...): theorem id, or empty",
    "equivalence": "certified, audited, differs, or unknown (also: empty)",
    "note": "where the flag comes from, in your words",
    "split": "valid, test, ...",
    "area": "what the problem is counted under",
    "statement_PROVER": "source text of the statement, shown in reports",
}

_PLAIN = ("problem", "equivalence", "note", "split", "area")
_STATEMENT = "statement_"
_AUDIT = ("audit.json", "rocq_audit.json")
_AUDITED: Final[Mapping[str, Equivalence]] = {
    "no changes": Equivalence.AUDITED,
    "syntax improvement": Equivalence.AUDITED,
    "reformulation": Equivalence.AUDITED,
    "wrong": Equivalence.DIFFERS,
}
_PUTNAM = re.compile(r"putnam_\d{4}_[ab]\d")


def read_pairs(reference: str) -> PairingTable:
    """Read ``minif2f:PATH``, ``putnambench:PATH``, ``csv:FILE`` or ``FILE.csv``.

    :raises DataError: the place does not hold what it should; mistakes are given with their lines.
    :raises UnknownNameError: there is no such kind of table.
    """
    kind, colon, argument = reference.partition(":")
    if not colon and Path(reference).suffix.lower() in (".csv", ".tsv"):
        kind, argument = "csv", reference
    reader = _READERS.get(kind)
    if reader is None:
        kinds = "\n".join(f"  {name}:PATH  {holds}" for name, holds in PAIR_KINDS.items())
        msg = f"There is no pairing table {reference!r}. Write FILE.csv, or one of:\n{kinds}"
        raise UnknownNameError(msg)
    if not argument.strip():
        msg = f"The pairing table {kind} needs a place: {kind}:PATH ({PAIR_KINDS[kind]})."
        raise DataError(msg)
    return reader(argument)


# --- miniF2F ------------------------------------------------------------------------------------------


def _minif2f(argument: str) -> PairingTable:
    places = [Path(part).expanduser() for part in argument.split(",") if part.strip()]
    for place in places:
        _need(place, "minif2f")
    if len(places) > 2:
        msg = f"minif2f takes one place, or two joined by a comma; {argument!r} names {len(places)}"
        raise DataError(msg)
    if len(places) == 2:
        rows, origin = _minif2f_checkouts(places), places
    else:
        file = places[0] if places[0].is_file() else _pairs_file(places[0])
        rows, origin = _minif2f_rows(file), [file.parent]
    audit, audit_file = _audit(origin)
    pairs, used = [], set()
    for problem, split, texts in rows:
        status = audit.get(problem.casefold())
        used.add(problem.casefold())
        flag, note = _flag(status)
        ids = {prover: name for prover, (name, _) in texts.items()}
        statements = {prover: text for prover, (_, text) in texts.items()}
        pairs.append(Pair(problem, ids, flag, note, split, _minif2f_area(problem), statements))
    stray = sorted(set(audit) - used)
    notes = [
        f"flags from {audit_file.name}: {len(audit) - len(stray)} problems"
        if audit_file
        else f"no {' or '.join(_AUDIT)} there: every pair is unknown"
    ]
    if stray:
        notes.append(f"{len(stray)} audited problems are not in the table ({stray[0]}, ...)")
    return PairingTable("miniF2F", pairs, source=argument, notes=notes)


Texts = dict[str, tuple[str, str]]
"""Prover -> (theorem id, source text)."""


def _minif2f_rows(file: Path) -> list[tuple[str, str, Texts]]:
    found, mistakes = [], []
    for line, row in read_rows(file, Problems()):
        missing = [
            key for key in ("id", "lean4", "rocq") if not isinstance(row.get(key), str) or not row[key]
        ]
        if missing:
            mistakes.append(f"line {line}: no text as {' or '.join(missing)}")
            continue
        name = row["id"]
        split = row.get("split") if isinstance(row.get("split"), str) else ""
        found.append((name, str(split), {"lean4": (name, row["lean4"]), "coq": (name, row["rocq"])}))
    if mistakes:
        raise DataError(listed(f"{file} is no table of miniF2F (id, lean4, rocq)", mistakes))
    return found


def _minif2f_checkouts(places: list[Path]) -> list[tuple[str, str, Texts]]:
    """The two repositories, in either order: problems by name, in any letter case."""
    problems: dict[str, tuple[str, str, Texts]] = {}
    counts = {"lean4": 0, "coq": 0}
    for place in places:
        for prover, suffix in (("lean4", ".lean"), ("coq", ".v")):
            for file in sorted(place.rglob(f"*{suffix}")):
                split = file.parent.name.lower()
                within = file.relative_to(place).parts
                if split not in ("valid", "test") or any(part.startswith(".") for part in within):
                    continue  # what `lake build` fetches has test folders of its own, under .lake
                row = problems.setdefault(file.stem.casefold(), (file.stem, split, {}))
                row[2][prover] = (file.stem, _text(file))
                counts[prover] += 1
    if not all(counts.values()):
        lacking = " and ".join(prover for prover, count in counts.items() if not count)
        msg = (
            f"{', '.join(map(str, places))}: no valid/ or test/ folder with texts of {lacking} there. "
            "Name the checkouts of miniF2F-lean4 and of miniF2F-rocq."
        )
        raise DataError(msg)
    return [problems[name] for name in sorted(problems)]


def _pairs_file(folder: Path) -> Path:
    files = sorted(folder.glob("*pairs*.jsonl"))
    if len(files) == 1:
        return files[0]
    found = f"{len(files)} of them" if files else "none"
    msg = f"{folder} should hold one *pairs*.jsonl with id, lean4 and rocq, and holds {found}; name the file"
    raise DataError(msg)


def _audit(places: Iterable[Path]) -> tuple[dict[str, Any], Path | None]:
    for place in places:
        for folder in (place, place.parent):
            for name in _AUDIT:
                if (folder / name).is_file():
                    return _audit_of(folder / name), folder / name
    return {}, None


def _audit_of(file: Path) -> dict[str, Any]:
    data = read_json_document(file, Problems())
    if not isinstance(data, dict):
        msg = f"{file} is not an object with an entry for each problem; the flags cannot be read from it"
        raise DataError(msg)
    mistakes = [
        f"{problem}: no status" for problem, entry in data.items()
        if not isinstance(entry, dict) or not isinstance(entry.get("status"), str)
    ]  # fmt: skip
    if mistakes:
        raise DataError(listed(f"{file} is no audit of miniF2F-rocq", mistakes))
    return {problem.casefold(): entry for problem, entry in data.items()}


def _flag(entry: Mapping[str, Any] | None) -> tuple[Equivalence, str]:
    """What an audit's entry says. A status that we do not know is not taken for a good one."""
    if entry is None:
        return Equivalence.UNKNOWN, ""
    status = entry["status"]
    changed = ", statement changed" if entry.get("modified") else ""
    return _AUDITED.get(status, Equivalence.UNKNOWN), f"audit: {status}{changed}"


def _minif2f_area(problem: str) -> str:
    """``mathd_algebra_55`` -> ``mathd_algebra``; ``amc12a_2002_p6`` -> ``amc``."""
    head = problem.split("_")
    if head[0] == "mathd" and len(head) > 1:
        return f"mathd_{head[1]}"
    return re.sub(r"(?:I+|\d.*)$", "", head[0]) or head[0]


# --- PutnamBench --------------------------------------------------------------------------------------


def _putnambench(argument: str) -> PairingTable:
    folder = Path(argument).expanduser()
    _need(folder, "putnambench")
    lean = _putnam_ids(folder, "ids_lean4.txt", "lean4", ".lean")
    coq = _putnam_ids(folder, "ids_coq.txt", "coq", ".v")
    if not lean or not coq:
        lacking = " and ".join(name for name, ids in (("Lean 4", lean), ("Coq", coq)) if not ids)
        msg = f"{folder} holds no problems in {lacking}. Needed: {PAIR_KINDS['putnambench']}."
        raise DataError(msg)
    pairs = []
    for name in sorted(lean | coq):
        ids = {prover: name for prover, there in (("coq", coq), ("lean4", lean)) if name in there}
        pairs.append(Pair(name, ids, Equivalence.UNKNOWN, area=name.split("_")[1]))
    notes = [
        f"{len(lean & coq)} problems are in both; their statements were compared by nobody that we know of"
    ]
    return PairingTable("PutnamBench", pairs, source=argument, notes=notes)


def _putnam_ids(folder: Path, listing: str, prover: str, suffix: str) -> set[str]:
    file = folder / listing
    if not file.is_file():
        return {f.stem for f in (folder / prover / "src").glob(f"*{suffix}") if _PUTNAM.fullmatch(f.stem)}
    ids, mistakes = set(), []
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if not (name := line.strip()):
            continue
        if _PUTNAM.fullmatch(name):
            ids.add(name)
        else:
            mistakes.append(f"line {number}: {name[:60]!r} is no problem id (putnam_YYYY_xN)")
    if mistakes:
        raise DataError(listed(f"{file} is no list of PutnamBench problems", mistakes))
    return ids


# --- CSV ----------------------------------------------------------------------------------------------


def _csv(argument: str) -> PairingTable:
    file = Path(argument).expanduser()
    _need(file, "csv")
    text = _text(file)
    dialect = "excel-tab" if "\t" in text.split("\n", 1)[0] else "excel"
    reader = csv.reader(io.StringIO(text, newline=""), dialect, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        provers = _provers_of(file, header)
        pairs, mistakes = [], []
        taken: dict[tuple[str, str], int] = {}
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            made = _csv_pair(header, cells, provers)
            if isinstance(made, Pair):
                pairs.append(made)
                made = _taken(made, reader.line_num, taken)
            if made:
                mistakes.append(f"line {reader.line_num}: {made}")
    except csv.Error as error:
        msg = f"{file}, line {reader.line_num}: no CSV ({error}). Save it again as CSV, UTF-8."
        raise DataError(msg) from error
    if mistakes:
        head = f"{file} cannot be used as a pairing table (its columns of theorem ids: {', '.join(provers)})"
        raise DataError(listed(head, mistakes))
    if not pairs:
        msg = f"{file} holds no pair: after its first line there is nothing."
        raise DataError(msg)
    return PairingTable(file.stem, pairs, source=argument)


def _provers_of(file: Path, header: list[str]) -> dict[str, str]:
    """Column -> prover."""
    columns = ", ".join(f"{name} ({meaning})" for name, meaning in CSV_COLUMNS.items())
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        msg = f"{file}, line 1: two columns are called {repeated[0]!r}."
        raise DataError(msg)
    named = [name for name in header if name not in _PLAIN and not name.startswith(_STATEMENT)]
    provers = {name: prover_name(name) for name in named}
    if len(set(provers.values())) < len(provers):
        msg = f"{file}, line 1: two of the columns {', '.join(provers)} mean the same prover."
        raise DataError(msg)
    if "" in provers.values() or len(set(provers.values())) < 2:
        msg = (
            f"{file}, line 1: the first line names the columns, at least two provers among them; it has: "
            f"{', '.join(header) or 'nothing'}.\nColumns: {columns}."
        )
        raise DataError(msg)
    return provers


def _csv_pair(header: list[str], cells: list[str], provers: Mapping[str, str]) -> Pair | str:
    """The pair of a line, or what is wrong with it."""
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        return f"{len(cells)} cells under {len(header)} columns"
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    ids = {prover: row[column] for column, prover in provers.items() if row.get(column)}
    if not ids:
        return f"no theorem id under any of {', '.join(provers)}"
    flag = row.get("equivalence", "").lower() or Equivalence.UNKNOWN.value
    if flag not in set(Equivalence):
        return f"equivalence {flag!r} is none of {', '.join(Equivalence)}"
    texts = {
        prover_name(column.removeprefix(_STATEMENT)): text
        for column, text in row.items()
        if column.startswith(_STATEMENT) and text
    }
    return Pair(
        problem=row.get("problem") or next(iter(ids.values())),
        ids=ids,
        equivalence=Equivalence(flag),
        note=row.get("note", ""),
        split=row.get("split", ""),
        area=row.get("area", ""),
        statements=texts,
    )


def _taken(pair: Pair, line: int, taken: dict[tuple[str, str], int]) -> str:
    """What of the pair an earlier line has already, in words."""
    for what, name in (("problem", pair.problem), *((f"{p} theorem", id) for p, id in pair.ids.items())):
        earlier = taken.setdefault((what, name), line)
        if earlier != line:
            return f"{what} {name} stands in line {earlier} already"
    return ""


def _need(place: Path, kind: str) -> None:
    if not place.exists():
        msg = (
            f"There is no {place} (looked from {Path.cwd()}). The pairing table {kind} is {PAIR_KINDS[kind]}."
        )
        raise DataError(msg)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{file} is not UTF-8 (byte {error.start}). Save it again as UTF-8."
        raise DataError(msg) from error
    except OSError as error:
        raise disk_error(file, error) from error


_READERS: Final[Mapping[str, Callable[[str], PairingTable]]] = {
    "minif2f": _minif2f,
    "putnambench": _putnambench,
    "csv": _csv,
}
