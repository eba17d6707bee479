"""Which theorems of several evaluations are the same: by id and statement, or by a pairing table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prover_core.errors import DataError
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable
from prover_core.evaluation.results import BudgetResult, IterationResult, TheoremResult

__all__ = ["Matched", "Matching", "match", "of_budget", "subsets"]


@dataclass(frozen=True, slots=True)
class Matched:
    """One theorem, or one problem of a pairing table, under one budget in every input."""

    key: str
    theorems: tuple[TheoremResult, ...]
    equivalence: Equivalence | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """What all inputs have under one budget, and what of each input is left out."""

    rows: Sequence[Matched]
    missing: Sequence[tuple[str, ...]]
    """For each input the ids that not all have, or that are in no pair."""
    changed: Sequence[tuple[str, ...]]
    """For each input the ids that all have, with statements that are not the same text."""
    unclear: Sequence[tuple[str, ...]]
    """For each input the problems that several of its theorems could be: none of these is taken."""

    def equivalence(self) -> Mapping[Equivalence, int]:
        """Flag -> rows; empty where no pairing table was asked."""
        found = Counter(row.equivalence for row in self.rows if row.equivalence is not None)
        return {flag: found[flag] for flag in Equivalence} if found else {}


def match(results: Sequence[IterationResult], budget: str, pairs: PairingTable | None) -> Matching:
    """The theorems that all results have under ``budget``; the order of the first is kept.

    Theorems of one prover are the same only where their statements are, with a table as without.
    """
    found = [_keyed(of_budget(result, budget), pairs) for result in results]
    tables = [table for table, _, _ in found]
    common = set(tables[0]).intersection(*tables[1:])
    rows: list[Matched] = []
    changed: list[list[str]] = [[] for _ in results]
    for key in (key for key in tables[0] if key in common):
        theorems = tuple(table[key] for table in tables)
        if _same_text(theorems, across=pairs is not None):
            pair = _pair_of(pairs, theorems[0])
            rows.append(Matched(key, theorems, pair.equivalence if pair is not None else None))
            continue
        for ids, theorem in zip(changed, theorems, strict=True):
            ids.append(theorem.id)
    missing = [
        (*(theorem.id for key, theorem in table.items() if key not in common), *unpaired)
        for table, unpaired, _ in found
    ]
    return Matching(rows, missing, [tuple(ids) for ids in changed], [unclear for _, _, unclear in found])


def of_budget(result: IterationResult, budget: str) -> BudgetResult:
    """The result under a budget that is there.

    :raises DataError: it is not.
    """
    found = result.budget(budget)
    if found is None:
        msg = f"{result.label} has no budget {budget}"
        raise DataError(msg)
    return found


def subsets(matching: Matching) -> list[tuple[str, str, frozenset[Equivalence] | None]]:
    """Name, description and flags of each subset to be compared; ``None``: everything."""
    flags = matching.equivalence()
    if not flags:
        return [("all", "", None)]
    found: list[tuple[str, str, frozenset[Equivalence] | None]] = [
        ("all", "all pairs, whatever is known of their statements", None)
    ]
    not_different = frozenset(Equivalence) - {Equivalence.DIFFERS}
    if flags[Equivalence.DIFFERS] and any(flags[flag] for flag in not_different):
        found.append(
            ("not known to differ", "without pairs whose statements are known to differ", not_different)
        )
    vouched = frozenset(flag for flag in Equivalence if flag.vouched)
    if any(flags[flag] for flag in vouched):
        found.append(("vouched for", "only pairs whose statements are certified or audited", vouched))
    return found


def _keyed(
    result: BudgetResult, pairs: PairingTable | None
) -> tuple[dict[str, TheoremResult], tuple[str, ...], tuple[str, ...]]:
    """Theorem id, or problem of the table -> theorem; ids that are no problem; problems that are unclear."""
    if pairs is None:
        return {theorem.id: theorem for theorem in result.theorems}, (), ()
    claims: dict[str, list[TheoremResult]] = {}
    left_out: list[str] = []
    for theorem in result.theorems:
        pair = _pair_of(pairs, theorem)
        if pair is None:
            left_out.append(theorem.id)
        else:
            claims.setdefault(pair.problem, []).append(theorem)
    table: dict[str, TheoremResult] = {}
    unclear: list[str] = []
    for problem, theorems in claims.items():
        named = [theorem for theorem in theorems if pairs.names(problem, theorem.prover, theorem.id)]
        chosen = named or theorems
        if len(chosen) == 1:
            table[problem] = chosen[0]
        else:
            unclear.append(problem)
        left_out += [theorem.id for theorem in theorems if theorem is not table.get(problem)]
    return table, tuple(left_out), tuple(unclear)


def _pair_of(pairs: PairingTable | None, theorem: TheoremResult) -> Pair | None:
    return None if pairs is None else pairs.find(theorem.prover, theorem.id, theorem.name)


def _same_text(theorems: Sequence[TheoremResult], *, across: bool) -> bool:
    """Whether statements agree; ``across`` provers only those of each prover among themselves."""
    texts: dict[str, set[str]] = {}
    for theorem in theorems:
        texts.setdefault(theorem.prover if across else "", set()).add(theorem.statement_hash)
    return all(len(found) == 1 for found in texts.values())
