"""A proof as it comes from a search, a model or a person, made into the sentences that will be checked.

What people and models write around a proof is taken off politely: the statement once more, a leading
``Proof.``, a final ``Qed.`` or ``Defined.``. Everything else must pass the guard, sentence by sentence.
Comments are left out, so that the prover sees nothing on which its lexer and ours could differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prover_coq.guard import Refusal, RefusalKind, examine_sentence, normalise_tactic
from prover_coq.lexer import Sentence, split_sentences, strip_comments
from prover_core.types import Proof

__all__ = ["Script", "read_script"]


@dataclass(frozen=True, slots=True)
class Script:
    """The sentences between a statement and the end of its proof."""

    sentences: tuple[str, ...]
    """Each one sentence, terminator included, without comments."""
    opening: str = "Proof."
    """``Proof.``, ``Proof using ... .`` or ``Proof with ... .``."""
    ending: str = ""
    """``Qed.`` or ``Defined.`` where the proof says so itself; empty: it does not."""

    def lines(self, ending: str) -> list[str]:
        """Everything after the statement, the end included, one sentence a line."""
        return [self.opening, *self.sentences, ending]


_USING = re.compile(r"Proof\s+using(?:\s+[\w'\s()*+-]*)?\s*\.")
_USING_WITH = re.compile(r"Proof(?:\s+using[\w'\s()*+-]*?)?\s+with\s+(?P<tactic>.*\.)", re.DOTALL)
_ENDING = re.compile(r"(?:(?P<done>Qed|Defined|Save)|(?P<undone>Admitted|Abort))(?:\s+(?:All|[\w']+))?\s*\.")


def read_script(proof: Proof, statement: str) -> Script | Refusal:
    """The proof's sentences; or why it is no proof, without any prover having been asked."""
    if proof.text is not None:
        sentences = split_sentences(proof.text)
        if sentences and not sentences[-1].complete:
            refusal = _unfinished(sentences[-1])
            if refusal is not None:
                return refusal
        found = [normalise_tactic(sentence.text) for sentence in sentences]
    else:
        found = [normalise_tactic(tactic) for tactic in proof.tactics]
    return _read(found, statement)


def _unfinished(last: Sentence) -> Refusal | None:
    """The text ends without a terminator: a dot is added, but nothing else is made up."""
    return examine_sentence(normalise_tactic(last.text))


def _read(found: list[str], statement: str) -> Script | Refusal:
    if found and _words(found[0]) == _words(statement):
        del found[0]
    opening = "Proof."
    if found and found[0].startswith("Proof"):
        opening = found.pop(0)
        refusal = _check_opening(opening)
        if refusal is not None:
            return refusal
    ending = ""
    if found and (last := _ENDING.fullmatch(found[-1])):
        if last["undone"]:
            return Refusal(RefusalKind.GIVES_UP, f"it ends in `{last['undone']}`, which proves nothing")
        ending = "Defined." if last["done"] == "Defined" else "Qed."
        del found[-1]
    for number, sentence in enumerate(found, start=1):
        refusal = examine_sentence(sentence)
        if refusal is not None:
            return Refusal(_severity(refusal, sentence), f"sentence {number}: {refusal.reason}")
    return Script(tuple(found), opening, ending)


def _severity(refusal: Refusal, sentence: str) -> RefusalKind:
    """``Admitted`` in the middle ends this proof and starts something else: that is no mere gap."""
    return RefusalKind.COMMAND if sentence.lstrip().startswith("Admitted") else refusal.kind


def _check_opening(opening: str) -> Refusal | None:
    if opening == "Proof." or _USING.fullmatch(opening):
        return None
    with_tactic = _USING_WITH.fullmatch(opening)
    if with_tactic is not None:
        return examine_sentence(normalise_tactic(with_tactic["tactic"]))
    return Refusal(RefusalKind.COMMAND, f"it opens with `{opening}`; give the proof as tactics")


def _words(text: str) -> list[str]:
    return strip_comments(text).split()
