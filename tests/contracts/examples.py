"""What the fake prover's language gives to the environment kit; shared by every kit run on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_core.testing.environment_base import EnvironmentIngredients
from prover_core.types import Goal, Hypothesis, Limits


class FakeExamples(EnvironmentIngredients):
    """The examples of the kit, in the language of the ``fake`` prover."""

    provable = (
        "a /\\ b -> b /\\ a",
        ["intros h", "destruct h.", "split", "assumption", "assumption."],
    )
    unprovable = "a \\/ b -> a"
    cheats: ClassVar[Sequence[tuple[str, str | Sequence[str]]]] = [
        ("the cheating tactic", ["cheat"]),
        ("after honest work", ["intros", "cheat."]),
        ("in a text", "intros. cheat. qed."),
        ("an axiom", "axiom all : False. intros. exfalso. exact all."),
        ("abort and restart", "abort. theorem easy : True. trivial."),
        ("a second sentence in a tactic", ["intros. axiom h : a", "assumption"]),
        ("an axiom that is not allowed", ["classical a", "destruct h", "intros", "assumption", "cheat"]),
        ("giving up", ["intros", "give_up"]),
        ("shelving", ["intros", "shelve"]),
    ]
    changed_statement = "theorem kit_example : a -> a \\/ b. intros. left. assumption. qed."
    rejected_tactic = "exact nothing_of_that_name"
    parse_error_tactic = "blah blah"
    forbidden_tactics = ("axiom h : False.", "intros. split.", "qed.", "load prefix.", "theorem x : True.")
    giving_up_tactics = ("give_up", "shelve.")
    branching = ("a -> a \\/ a /\\ a", ["intro", "intros h", "intro other", "left", "exfalso", "idtac"])
    two_routes = ("a -> b -> a", ["intros x y"], ["intro x", "idtac", "intro y"])
    structured = (
        "a /\\ b -> ~c -> a",
        ["intros p q", "have r : b \\/ c"],
        Goal((Hypothesis(("p",), "a /\\ b"), Hypothesis(("q",), "~c")), "b \\/ c"),
    )
    unicode = ("α ∧ β → β", ["intros ħ", "destruct ħ", "assumption"])
    not_a_statement = "theorem one : a. theorem two : b."
    bad_preamble = "theorem one : (a -> ."
    source = (
        ".fake",
        "theorem one : a -> a.\nintros. assumption. qed.\n\ntheorem deux : α → α ∨ β.\n"
        "theorem three : False -> a.\n  theorem four.b : True.",
        ["one", "deux", "three", "four.b"],
    )
    hanging_tactic = "sleep 600"
    axiomatic = ("a \\/ ~a", ["classical a", "assumption"], frozenset({"classic"}))
    limits = Limits(memory_mb=1024, open_timeout_s=30, verify_timeout_s=30)
    has_processes = False
