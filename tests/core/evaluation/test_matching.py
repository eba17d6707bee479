"""Which theorems are compared, and what is said of them: pairing tables, statements, unequal chances."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eval_records import F, P, X, budget, compare, outcomes, result

from prover_core.evaluation import IterationResult
from prover_core.evaluation.comparison import Comparison
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable
from prover_core.evaluation.results import BestProof, TheoremResult


def table(*flags: Equivalence) -> PairingTable:
    pairs = [Pair(f"p{i}", {"coq": f"c{i}", "lean4": f"l{i}"}, flag) for i, flag in enumerate(flags)]
    return PairingTable("example", pairs)


def coq(name: str, *each: str, **more: Any) -> IterationResult:
    return result(name, budget("5t", {id: [P] for id in each}, "coq", **more), prover="coq")


def lean(*each: str) -> IterationResult:
    return result("lean", budget("5t", {id: [P] for id in each}, "lean4"), prover="lean4")


def test_one_prover_twice_in_a_paired_comparison_must_have_the_same_statement() -> None:
    flags = [Equivalence.AUDITED] * 2
    old, new = coq("old", "c0", "c1"), coq("new", "c0", "c1", hashes={"c1": "other"})
    found = compare(old, new, lean("l0", "l1"), pairs=table(*flags))
    assert found.subsets[0].budgets[0].theorems == 1
    assert [left.other_statement for left in found.left_out] == [("c1",), ("c1",), ("l1",)]


@pytest.mark.parametrize("order", [("c0", "C0"), ("C0", "c0")])
def test_the_id_of_the_table_goes_before_one_in_other_letters(order: tuple[str, ...]) -> None:
    found = compare(coq("coq", *order), lean("l0"), pairs=table(Equivalence.AUDITED))
    assert found.subsets[0].budgets[0].theorems == 1
    assert found.left_out[0].theorems == ("C0",)
    assert found.notes == ()


def test_two_theorems_that_could_be_one_problem_are_neither() -> None:
    found = compare(coq("coq", "C0", "co", "c1"), lean("l0", "l1"), pairs=table(*[Equivalence.UNKNOWN] * 2))
    assert found.subsets[0].budgets[0].theorems == 2
    two = PairingTable(
        "t", [Pair("p", {"coq": "CO", "lean4": "l0"}), Pair("q", {"coq": "c1", "lean4": "l1"})]
    )
    found = compare(coq("coq", "Co", "co", "c1"), lean("l0", "l1"), pairs=two)
    assert found.subsets[0].budgets[0].theorems == 1
    assert set(found.left_out[0].theorems) == {"Co", "co"}
    assert any("coq: several of its theorems could be p of the" in note for note in found.notes)


def test_ids_that_differ_in_letters_alone_are_told_apart_by_the_id() -> None:
    pairs = PairingTable("t", [Pair("p", {"coq": "ab"}), Pair("q", {"coq": "aB"})])
    assert [pair and pair.problem for pair in map(lambda id: pairs.find("coq", id), ("ab", "aB", "AB"))] == [
        "p",
        "q",
        None,
    ]


def test_what_is_known_of_the_statements_is_always_said(call: Any, here: Path) -> None:
    (here / "pairs.csv").write_text("problem,coq,lean4\np0,c0,l0\np1,c1,l1\n")
    coq("coq", "c0", "c1").save(here / "a.json")
    lean("l0", "l1").save(here / "b.json")
    for form in ([], ["--markdown"]):
        shown = " ".join(call("compare", "a.json", "b.json", "--pairs", "pairs.csv", *form).out.split())
        assert "paired by pairs; statements of the problems compared: 2 unknown" in shown
    (here / "pairs.csv").write_text("problem,coq,lean4,equivalence\np0,c0,l0,differs\np1,c1,l1,differs\n")
    shown = call("compare", "a.json", "b.json", "--pairs", "pairs.csv").out
    assert "compared: 2 differs" in " ".join(shown.split())
    assert "0 common theorems" not in shown  # of none that does not differ there is no table


def test_unequal_chances_are_said(call: Any, here: Path) -> None:
    a = result("a", budget("5t", {"t": [F, P], "u": [P, P], "v": [F, F]}))
    b = result("b", budget("5t", {"t": [F, X], "u": [P, P], "v": [X, X]}))
    found = compare(a, b).subsets[0].budgets[0]
    assert (found.theorems, found.uneven, found.inconclusive) == (2, 1, ("v",))
    a.save(here / "a.json")
    b.save(here / "b.json")
    shown = " ".join(call("compare", "a.json", "b.json").out.split())
    assert "at 1 of them one has fewer conclusive attempts than another" in shown


def timed(name: str, tries: dict[str, int], attempts: int = 1) -> IterationResult:
    """Proved with so many tries; 0: not proved."""
    base = budget("500t", {id: [P if n else F] * attempts for id, n in tries.items()})
    theorems: tuple[TheoremResult, ...] = tuple(
        t.model_copy(
            update={"best": BestProof(uid="u", attempt=attempts, seconds=1, seconds_total=n, tries=n)}
        )
        if (n := tries[t.id])
        else t
        for t in base.theorems
    )
    return result(name, base.model_copy(update={"theorems": theorems}))


def test_tries_and_seconds_are_of_what_all_proved() -> None:
    # b proves two more theorems, with many tries: that must not make it look slower where both prove
    a, b = timed("a", {"t": 10, "u": 20, "v": 0, "w": 0}), timed("b", {"t": 5, "u": 10, "v": 300, "w": 400})
    sides = compare(a, b).subsets[0].budgets[0].sides
    assert [(s.tries_median_proved, s.seconds_median_proved) for s in sides] == [(15, 15), (7.5, 7.5)]
    more = compare(a, timed("b", {"t": 5, "u": 10}, attempts=3)).subsets[0].budgets[0].sides
    assert [(s.tries_median_proved, s.seconds_median_proved) for s in more] == [(None, None), (None, None)]


def test_other_settings_are_said(call: Any, here: Path) -> None:
    words = (
        "eval",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--limit",
        "4",
        "--budgets",
        "9",
    )
    assert call(*words, "--out", "a").code == 0
    more = (
        "--temperature",
        "0.5",
        "--set",
        "search.tactic_timeout_s=9",
        "--workers",
        "2",
        "--set",
        "data.copies=2",
    )
    assert call(*words, *more, "--out", "b").code == 0
    shown = " ".join(call("compare", "a", "b").out.split())
    said = (
        "they differ in settings too: temperature (a: none, b: 0.5), search.tactic_timeout_s (a: 3.0, b: 9.0)"
    )
    assert f"note: {said} budget" in shown, shown
    assert "settings" not in call("compare", "a", "a").out


def test_a_run_that_has_not_ended_is_said_to_be_incomplete(call: Any, here: Path) -> None:
    words = ("--env", "fake", "--model", "scripted", "--data", "fake", "--limit", "6", "--no-trajectories")
    assert call("run", *words, "--budget", "9t", "--out", "r").code == 0
    assert call("eval", *words, "--budgets", "9", "--out", "e").code == 0
    assert "not complete" not in call("compare", "e", "r").out
    lines = (here / "r/results.jsonl").read_bytes().splitlines(keepends=True)
    (here / "r/results.jsonl").write_bytes(b"".join(lines[:4]))
    shown = " ".join(call("compare", "e", "r").out.split())
    assert "note: r: not complete: attempts at 2 theorems have not been made" in shown, shown
    assert "4 common theorems" in shown


def test_budgets_in_seconds_are_said_to_depend_on_the_machine() -> None:
    timed = budget("20s", outcomes("PF")).model_copy(update={"limits": {"seconds": 20.0}})
    counted = budget("5t", outcomes("PF"))
    both = [result(name, counted, timed) for name in "ab"]
    assert any("what a second buys" in note for note in compare(*both).notes)
    assert not any("second" in note for note in compare(both[0], result("c", counted)).notes)


def test_order_changes_nothing_about_what_is_common() -> None:
    a = result("a", budget("5t", outcomes("PPFFX")))
    b = result("b", budget("5t", dict(reversed(outcomes("PFPFP").items()))))
    one, other = compare(a, b).subsets[0].budgets[0], compare(b, a).subsets[0].budgets[0]
    assert one.theorems == other.theorems == 4 and one.inconclusive == other.inconclusive == ("t4",)
    assert one.pairs[0].p == other.pairs[0].p
    assert one.pairs[0].difference_low == pytest.approx(-other.pairs[0].difference_high, abs=0.02)


def test_of_no_theorem_there_are_no_figures(call: Any, here: Path) -> None:
    result("a", budget("5t", outcomes("PX")), budget("9t", outcomes("PP"))).save(here / "a.json")
    result("b", budget("5t", outcomes("XF")), budget("9t", outcomes("PF"))).save(here / "b.json")
    for form in ([], ["--markdown"]):
        shown = call("compare", "a.json", "b.json", *form).out
        head = "budget 5t: 0 common theorems (2 left out: no conclusive attempt in one of them)"
        assert head in " ".join(shown.split())
        assert shown.count("NEITHER") == 1 and "+0.0 to +0.0" not in shown


def test_a_side_without_theorems_is_named(call: Any, here: Path) -> None:
    result("a", budget("5t", outcomes("P"))).save(here / "a.json")
    result("b", budget("5t", {})).save(here / "b.json")
    answer = call("compare", "a.json", "b.json")
    assert answer.code == 2 and "(theorems: a 1, b 0): there is none in b" in answer.err


def test_what_is_left_out_in_narrow_terminals_and_in_markdown(
    call: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result("a", budget("5t", outcomes("P" * 6, "a_theorem_of_some_length_"))).save(here / "a.json")
    more = outcomes("P" * 5, "another_theorem_of_some_length_") | outcomes("P", "a_theorem_of_some_length_")
    result("b", budget("5t", more)).save(here / "b.json")
    marked = call("compare", "a.json", "b.json", "--markdown").out.splitlines()
    assert len([line for line in marked if line.startswith("- a: 5 theorems: a_theorem")]) == 1
    assert not any(line.startswith("- a_theorem") for line in marked)  # one item is one line
    monkeypatch.setenv("COLUMNS", "60")
    shown = call("compare", "a.json", "b.json").out.splitlines()
    prose = shown[shown.index("left out, because not all of them have it:") :]
    assert max(map(len, prose)) <= 60


def test_folders_whose_names_are_no_utf_8(call: Any, program: Path, here: Path) -> None:
    first, second = os.fsdecode(b"x\xff"), os.fsdecode(b"y\xff")
    words = [
        "eval",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--limit",
        "2",
        "--budgets",
        "9",
    ]
    subprocess.run([program, *words, "--out", first], check=True, capture_output=True, timeout=60)
    (here / first).rename(here / second)
    subprocess.run([program, *words, "--out", first], check=True, capture_output=True, timeout=60)
    found = Comparison.model_validate_json(call("compare", first, second, "--json").out)
    assert [each.label for each in found.inputs] == ["x\\udcff", "y\\udcff"]
