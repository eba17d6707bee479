"""Tactics of one state fitted to another: local names by what they are, not by their letters.

A recorded tactic's names are of four sorts. *Slots* are hypotheses and quantified variables of the state it
ran in: each is described there (type, whether the conclusion mentions it, its place), and in another state
the name that fits the description best takes its place. *Lemmas* keep their names, perhaps qualified.
*Fresh* names, which the tactic introduces, are kept unless they are taken. All others are words of the
tactic language.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from prover_models.knn.goalview import Entry, GoalView
from prover_models.terms import is_name, token_spans

__all__ = ["Fitter", "Instance", "Lemma", "Recorded", "record_tactic", "sentence"]

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


class Fitter:
    """Fits recorded tactics to one goal; remembers what fits which slot, for slots come again and again."""

    def __init__(self, view: GoalView, *, most: int = 2) -> None:
        """``most``: fillings of a tactic's slots that are given."""
        self._view = view
        self._most = most
        self._taken = frozenset(entry.name for entry in view.hypotheses)
        self._ranked: dict[Entry, list[tuple[float, str]]] = {}

    def instances(
        self, recorded: Recorded, lemma_names: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> Iterator[Instance]:
        """The tactic in this goal, the best filling of its slots first.

        :param lemma_names: token -> names to use in its place, the best first; the token itself is always
            tried before them.
        """
        named = _intros(recorded, self._view)
        if named is not None:
            yield Instance(named, 1.0)
            return
        for names, fit in self._fillings(recorded.slots):
            replaced = names | self._fresh(recorded, names)
            yield Instance(_replace(recorded.text, replaced), fit)
            for token, others in lemma_names.items():
                for place, other in enumerate(others):
                    tactic = _replace(recorded.text, replaced | {token: other})
                    yield Instance(tactic, fit * (0.9 - 0.1 * place))

    def _fillings(self, slots: Sequence[Entry]) -> Iterator[tuple[dict[str, str], float]]:
        """Names for all slots: the best for each, then with the next best for one of them."""
        if not slots:
            yield {}, 1.0
            return
        ranked = [self._rank(slot) for slot in slots]
        best = _assign(slots, ranked, {})
        if best is None:
            return
        yield best
        given = 1
        for slot, candidates in zip(slots, ranked, strict=True):
            other = next((name for _, name in candidates if name != best[0][slot.name]), None)
            if other is None or given >= self._most:
                continue
            second = _assign(slots, ranked, {slot.name: other})
            if second is not None:
                yield second[0], second[1] * 0.9
                given += 1

    def _rank(self, slot: Entry) -> list[tuple[float, str]]:
        """What fits a slot, the best first."""
        known = self._ranked.get(slot)
        if known is None:
            fits = [(_fit(slot, entry), entry.name) for entry in self._view.entries]
            known = sorted((pair for pair in fits if pair[0] >= _FITS), key=lambda pair: -pair[0])[:8]
            self._ranked[slot] = known
        return known

    def _fresh(self, recorded: Recorded, replaced: Mapping[str, str]) -> dict[str, str]:
        """New names for those that the tactic introduces and that are taken here."""
        clashes = [name for name in _words(recorded.text) if name in self._taken]
        known = {slot.name for slot in recorded.slots} | {lemma.token for lemma in recorded.lemmas}
        used = self._taken | set(replaced.values())
        renamed: dict[str, str] = {}
        for name in clashes:
            if name not in known:
                renamed[name] = _unused(name, used)
                used |= {renamed[name]}
        return renamed


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
        ours, theirs = _type_tokens(slot.type), _type_tokens(entry.type)
        common = len(ours & theirs)
        fit = 0.6 * common / max(1, len(ours) + len(theirs) - common)
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


@functools.lru_cache(maxsize=65536)
def _type_tokens(kind: str) -> frozenset[str]:
    return frozenset(kind.split(" "))


@functools.lru_cache(maxsize=4096)
def _stem(name: str) -> str:
    """``IH`` of ``IHn``, ``H`` of ``H0``."""
    return "IH" if name.startswith("IH") else _SHORT_TAIL.sub("", name)


@functools.lru_cache(maxsize=65536)
def _spans(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple(token_spans(text))


@functools.lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    """The names in a tactic, each once."""
    return tuple(dict.fromkeys(token for token, _, _ in _spans(text) if is_name(token)))


def _unused(name: str, used: AbstractSet[str]) -> str:
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
    for token, start, end in _spans(text):
        if token in names:
            pieces += [text[done:start], names[token]]
            done = end
    return "".join([*pieces, text[done:]])
