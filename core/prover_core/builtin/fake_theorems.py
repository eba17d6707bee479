"""The theorems of the ``fake`` data source: name, formula, whether it has a proof without axioms."""

from __future__ import annotations

__all__ = ["THEOREMS"]

THEOREMS: tuple[tuple[str, str, bool], ...] = (
    ("true_intro", "True", True),
    ("identity", "a -> a", True),
    ("constant", "a -> b -> a", True),
    ("distribute", "(a -> b -> c) -> (a -> b) -> a -> c", True),
    ("compose", "(b -> c) -> (a -> b) -> a -> c", True),
    ("swap_arguments", "(a -> b -> c) -> b -> a -> c", True),
    ("modus_ponens", "a -> (a -> b) -> b", True),
    ("and_intro", "a -> b -> a /\\ b", True),
    ("and_left", "a /\\ b -> a", True),
    ("and_swap", "a /\\ b -> b /\\ a", True),
    ("and_assoc", "a /\\ (b /\\ c) -> (a /\\ b) /\\ c", True),
    ("and_true", "a -> a /\\ True", True),
    ("and_imp", "(a /\\ b -> c) -> a -> b -> c", True),
    ("or_left", "a -> a \\/ b", True),
    ("or_swap", "a \\/ b -> b \\/ a", True),
    ("or_assoc", "a \\/ (b \\/ c) -> (a \\/ b) \\/ c", True),
    ("or_false", "a \\/ False -> a", True),
    ("or_elim", "(a -> c) -> (b -> c) -> a \\/ b -> c", True),
    ("and_or_distr", "a /\\ (b \\/ c) -> a /\\ b \\/ a /\\ c", True),
    ("or_and_distr", "a \\/ b /\\ c -> (a \\/ b) /\\ (a \\/ c)", True),
    ("ex_falso", "False -> a", True),
    ("not_intro", "a -> ~~a", True),
    ("contrapositive", "(a -> b) -> ~b -> ~a", True),
    ("not_both", "~(a /\\ ~a)", True),
    ("de_morgan_or", "~(a \\/ b) -> ~a /\\ ~b", True),
    ("de_morgan_and", "~a \\/ ~b -> ~(a /\\ b)", True),
    ("triple_negation", "~~~a -> ~a", True),
    ("weak_middle", "~~(a \\/ ~a)", True),
    ("iff_refl", "a <-> a", True),
    ("iff_swap", "(a <-> b) -> (b <-> a)", True),
    ("excluded_middle", "a \\/ ~a", False),
    ("double_negation", "~~a -> a", False),
    ("peirce", "((a -> b) -> a) -> a", False),
    ("converse", "(a -> b) -> b -> a", False),
    ("falsum", "False", False),
    ("anything", "a -> b", False),
)
