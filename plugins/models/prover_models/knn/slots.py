"""Tactics of one state fitted to another: local names by what they are, not by their letters.

A recorded tactic's names are of four sorts. *Slots* are hypotheses and quantified variables of the state it
ran in: each is described there (type, whether the conclusion mentions it, its place), and in another state
the name that fits the description best takes its place. *Lemmas* keep their names, perhaps qualified.
*Fresh* names, which the tactic introduces, are kept unless they are taken. All others are words of the
tactic language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from prover_models.knn.goalview import Entry, GoalView
from prover_models.terms import is_name, token_spans

__all__ = ["Instance", "Lemma", "Recorded", "instances", "record_tactic", "sentence"]

_FITS: Final = 0.3
"""A slot is left unfilled below this, and the tactic is not proposed."""
_INTROS: Final = re.compile(r"intros?((?: +[^\W\d][\w']*)+)\.?")
_SHORT_TAIL: Final = re.compile(r"[\d']*$")


class Lemma(NamedTuple):
    """A constant that a tactic names: the token, and what it stands for."""

    token: str
    full: str
    """Fully qualified."""
    inside: str
    """Its name within its file: ``Nat.add_comm``."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A tactic with what has to be known to use it elsewhere."""

    text: str
    slots: tuple[Entry, ...] = ()
    lemmas: tuple[Lemma, ...] = ()


class Instance(NamedTuple):
    """A recorded tactic, fitted to a state."""

    tactic: str
    fit: float
    """From 0 to 1: how well the slots were filled."""


def record_tactic(text: str, view: GoalView, premises: Sequence[tuple[str, str]]) -> Recorded:
    """Describe the names of a tactic that ran in a state.

    :param premises: qualified name and module of the constants that it names.
    """
    text = sentence(text)
    tokens = {token for token, _, _ in token_spans(text)}
    by_name = {entry.name: entry for entry in view.binders}
    by_name |= {entry.name: entry for entry in view.hypotheses}
    slots = tuple(entry for name, entry in by_name.items() if name in tokens)
    taken = {slot.name for slot in slots}
    lemmas = []
    for token in sorted(tokens - taken):
        if token[:1].isalpha() or token[:1] == "_":
            for full, module in premises:
                if full == token or full.endswith("." + token):
                    lemmas.append(Lemma(token, full, full.removeprefix(module + ".")))
                    break
    return Recorded(text, slots, tuple(lemmas))


def sentence(text: str) -> str:
    """One line, without the final dot."""
    text = " ".join(text.split())
    return text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text


def instances(
    recorded: Recorded, view: GoalView, *, lemma_names: Mapping[str, Sequence[str]], most: int = 2
) -> Iterator[Instance]:
    """The tactic in another state: at most ``most`` fillings of its slots, the best first.

    :param lemma_names: token -> names to use in its place, the best first; a token that is not there stays.
    """
    named = _intros(recorded, view)
    if named is not None:
        yield Instance(named, 1.0)
        return
    for names, fit in _fillings(recorded.slots, view, most):
        replaced = dict(names)
        replaced |= _fresh(recorded, view, replaced)
        yield Instance(_replace(recorded.text, replaced), fit)
        for token, others in lemma_names.items():
            for place, other in enumerate(others):
                yield Instance(_replace(recorded.text, replaced | {token: other}), fit * (0.9 - 0.1 * place))


def _fillings(slots: Sequence[Entry], view: GoalView, most: int) -> Iterator[tuple[dict[str, str], float]]:
    """Names for all slots: the best for each, then with the next best for one of them."""
    ranked: list[list[tuple[float, str]]] = []
    for slot in slots:
        fits = sorted(((_fit(slot, entry), entry) for entry in view.entries), key=lambda pair: -pair[0])
        ranked.append([(fit, entry.name) for fit, entry in fits if fit >= _FITS][: len(slots) + most])
    best = _assign(slots, ranked, {})
    if best is None:
        return
    yield best
    given = 1
    for at, slot in enumerate(slots):
        for _, name in ranked[at]:
            if given >= most:
                return
            if name != best[0][slot.name]:
                other = _assign(slots, ranked, {slot.name: name})
                if other is not None:
                    yield other[0], other[1] * 0.9
                    given += 1
                break


def _assign(
    slots: Sequence[Entry], ranked: Sequence[Sequence[tuple[float, str]]], fixed: Mapping[str, str]
) -> tuple[dict[str, str], float] | None:
    """Each slot the best name that is left, the best fitting slots first; ``None``: one gets none."""
    names = dict(fixed)
    total = 1.0
    order = sorted(range(len(slots)), key=lambda at: -ranked[at][0][0] if ranked[at] else 1.0)
    for at in order:
        slot = slots[at]
        wanted = fixed.get(slot.name)
        taken = {name for key, name in names.items() if key != slot.name}
        choice = next(((f, n) for f, n in ranked[at] if n not in taken and wanted in (None, n)), None)
        if choice is None:
            return None
        names[slot.name] = choice[1]
        total = min(total, choice[0])
    return names, min(1.0, total)


def _fit(slot: Entry, entry: Entry) -> float:
    """How well a name of the present state fills a slot."""
    if slot.type == entry.type:
        fit = 0.8
    else:
        ours, theirs = set(slot.type.split(" ")), set(entry.type.split(" "))
        fit = 0.6 * len(ours & theirs) / max(1, len(ours | theirs))
        if slot.type[:1] == "$" and entry.type[:1] == "$":
            fit = max(fit, 0.45)  # a variable of a type that is a variable itself
    if slot.used == entry.used:
        fit += 0.07
    if slot.bound == entry.bound:
        fit += 0.05
    elif entry.bound:
        fit -= 0.1
    if slot.name == entry.name:
        fit += 0.15
    elif _stem(slot.name) == _stem(entry.name):
        fit += 0.1
    return fit - 0.01 * min(10, abs(slot.age - entry.age))


def _stem(name: str) -> str:
    """``IH`` of ``IHn``, ``H`` of ``H0``."""
    return "IH" if name.startswith("IH") else _SHORT_TAIL.sub("", name)


def _fresh(recorded: Recorded, view: GoalView, replaced: Mapping[str, str]) -> dict[str, str]:
    """New names for those that the tactic introduces and that are taken here."""
    taken = {entry.name for entry in view.hypotheses}
    known = {slot.name for slot in recorded.slots} | {lemma.token for lemma in recorded.lemmas}
    used = taken | set(replaced.values())
    renamed: dict[str, str] = {}
    for token, _, _ in token_spans(recorded.text):
        if token in taken and token not in known and token not in renamed and is_name(token):
            renamed[token] = _unused(token, used)
            used.add(renamed[token])
    return renamed


def _unused(name: str, used: set[str]) -> str:
    stem = name.rstrip("0123456789") or name
    return next(new for number in range(len(used) + 1) if (new := f"{stem}{number}") not in used)


def _intros(recorded: Recorded, view: GoalView) -> str | None:
    """``intros`` with names follows what stands in front here; ``None``: it is another tactic."""
    found = _INTROS.fullmatch(recorded.text)
    if found is None:
        return None
    wanted = found[1].split()
    used = {entry.name for entry in view.hypotheses}
    variables = iter(view.binders)
    bound = {slot.name for slot in recorded.slots if slot.bound}
    names: list[str] = []
    for kind, name in zip(view.prefix or "p" * len(wanted), wanted, strict=False):
        if kind == "v":
            entry = next(variables, None)
            name = entry.name if entry is not None else name
        elif name in bound:
            name = "H"
        if name in used:
            name = _unused(name, used)
        used.add(name)
        names.append(name)
    return f"{recorded.text.split()[0]} {' '.join(names)}" if names else None


def _replace(text: str, names: Mapping[str, str]) -> str:
    if not names:
        return text
    pieces: list[str] = []
    done = 0
    for token, start, end in token_spans(text):
        if token in names:
            pieces += [text[done:start], names[token]]
            done = end
    return "".join([*pieces, text[done:]])
