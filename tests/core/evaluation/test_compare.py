"""Paired comparison: counted by hand, on common theorems and budgets alone, across provers by pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eval_records import F, P, budget, compare, outcomes, result
from scipy import stats

from prover_core.cli.compare_text import difference, p_value
from prover_core.errors import DataError
from prover_core.evaluation.comparison import Comparison
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable


def test_counted_by_hand() -> None:
    found = compare(
        result("a", budget("5t", outcomes("PPPPPFFFFFFF"))),
        result("b", budget("5t", outcomes("PPFFFPPPPPPP"))),
    )
    (pair,) = found.subsets[0].budgets[0].pairs
    assert (pair.both, pair.only_first, pair.only_second, pair.neither) == (2, 3, 7, 0)
    assert pair.only_first_ids == ("t2", "t3", "t4")
    assert pair.p == pytest.approx(stats.binomtest(3, 10).pvalue) == pair.p_holm
    assert pair.difference == pytest.approx(4 / 12)
    assert pair.difference_low < 4 / 12 < pair.difference_high
    sides = found.subsets[0].budgets[0].sides
    assert [(side.label, side.proved) for side in sides] == [("a", 5), ("b", 9)]


def test_the_order_of_two_turns_the_sign_and_nothing_else() -> None:
    a, b = result("a", budget("5t", outcomes("PPPFFF"))), result("b", budget("5t", outcomes("PFFFFP")))
    (there,) = compare(a, b).subsets[0].budgets[0].pairs
    (back,) = compare(b, a).subsets[0].budgets[0].pairs
    assert there.p == back.p
    assert there.difference == -back.difference
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first)


def test_only_what_all_have_is_compared_and_the_rest_is_listed() -> None:
    a = result("a", budget("5t", outcomes("PPF")), budget("9t", outcomes("PPF")))
    b = result("b", budget("5t", {"t0": [F], "t2": [P], "u": [P]}), budget("7t", outcomes("P")))
    found = compare(a, b)
    assert found.budgets == ("5t",)
    assert found.subsets[0].budgets[0].theorems == 2
    assert [left.budgets for left in found.left_out] == [("9t",), ("7t",)]
    assert [left.theorems for left in found.left_out] == [("t1",), ("u",)]


def test_same_id_and_another_statement_is_not_the_same_theorem() -> None:
    a = result("a", budget("5t", outcomes("PP")))
    b = result("b", budget("5t", outcomes("PF"), hashes={"t1": "other"}))
    found = compare(a, b)
    assert found.subsets[0].budgets[0].theorems == 1
    assert [left.other_statement for left in found.left_out] == [("t1",), ("t1",)]


def test_what_the_machinery_broke_counts_for_nobody() -> None:
    found = compare(result("a", budget("5t", outcomes("PXP"))), result("b", budget("5t", outcomes("PPF"))))
    of_budget = found.subsets[0].budgets[0]
    assert of_budget.theorems == 2
    assert of_budget.inconclusive == ("t1",)
    assert of_budget.pairs[0].only_second == 0


def test_different_numbers_of_attempts_are_cut_to_the_least() -> None:
    a = result("a", budget("5t", {"t": [F, F, P], "u": [P, P, P]}))
    b = result("b", budget("5t", {"t": [P], "u": [P]}))
    found = compare(a, b)
    (pair,) = found.subsets[0].budgets[0].pairs
    assert (pair.both, pair.only_second) == (1, 1)  # a's third attempt is not looked at
    assert any("only the first 1" in note for note in found.notes)


def test_three_are_compared_each_with_each_and_corrected() -> None:
    texts = ("P" * 20 + "F" * 20, "P" * 10 + "F" * 30, "F" * 40)
    results = [result(name, budget("5t", outcomes(text))) for name, text in zip("abc", texts, strict=True)]
    subset = compare(*results).subsets[0]
    pairs = subset.budgets[0].pairs
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert subset.tests == 3
    raw = sorted(pair.p for pair in pairs)
    assert raw == pytest.approx([stats.binomtest(0, n).pvalue for n in (20, 10, 10)])
    assert all(pair.p_holm >= pair.p for pair in pairs)
    assert min(pair.p_holm for pair in pairs) == pytest.approx(3 * raw[0])


def test_nothing_in_common_is_said() -> None:
    a = result("a", budget("5t", outcomes("P")))
    with pytest.raises(DataError, match=r"no budget in common(.|\n)*a: 5t(.|\n)*b: 6t"):
        compare(a, result("b", budget("6t", outcomes("P"))))
    with pytest.raises(DataError, match="no theorem in common"):
        compare(a, result("b", budget("5t", outcomes("P", "other"))))
    other = result("b", budget("5t", outcomes("P", "other"), prover="lean4"), prover="lean4")
    with pytest.raises(DataError, match="--pairs"):
        compare(a, other)


def table() -> PairingTable:
    flags = [Equivalence.CERTIFIED, Equivalence.AUDITED, Equivalence.DIFFERS, Equivalence.UNKNOWN]
    pairs = [Pair(f"p{i}", {"coq": f"c{i}", "lean4": f"l{i}"}, flag) for i, flag in enumerate(flags)]
    return PairingTable("example", pairs)


def test_across_provers_with_and_without_pairs_that_differ() -> None:
    a = result("coq", budget("5t", outcomes("PFPFP", "c"), "coq"), prover="coq")
    b = result("lean", budget("5t", outcomes("PPFF", "l"), "lean4"), prover="lean4")
    found = compare(a, b, pairs=table())
    assert [subset.name for subset in found.subsets] == ["all", "not known to differ", "vouched for"]
    counts = [
        (each.theorems, each.pairs[0].only_first, each.pairs[0].only_second)
        for each in (subset.budgets[0] for subset in found.subsets)
    ]
    assert counts == [(4, 1, 1), (3, 0, 1), (2, 0, 1)]
    assert found.left_out[0].theorems == ("c4",)  # in no pair
    with pytest.raises(DataError, match="not even by the pairing table"):
        compare(result("x", budget("5t", outcomes("P", "z"), "coq"), prover="coq"), b, pairs=table())


def test_pairs_from_a_table_of_ones_own(call: Any, here: Path) -> None:
    rows = [f"p{i},c{i},l{i},{flag}" for i, flag in enumerate(("certified", "audited", "differs", ""))]
    (here / "pairs.csv").write_text("\n".join(["problem,coq,lean4,equivalence", *rows]))
    result("coq", budget("5t", outcomes("PFPF", "c"), "coq"), prover="coq").save(here / "a.json")
    result("lean", budget("5t", outcomes("PPFF", "l"), "lean4"), prover="lean4").save(here / "b.json")
    answer = call("compare", "a.json", "b.json", "--pairs", "pairs.csv")
    assert answer.code == 0, answer.err
    for said in ("all pairs, whatever is known", "without pairs whose", "certified or audited"):
        assert f"== {said}" in answer.out or said in answer.out
    assert [n for n in (4, 3, 2) if f"budget 5t: {n} common theorems" not in answer.out] == []
    assert max(map(len, answer.out.splitlines())) <= 80
    without = call("compare", "a.json", "b.json")
    assert without.code == 2 and "--pairs" in without.err


def test_the_command_prints_tables_json_and_markdown(call: Any, here: Path) -> None:
    result("first", budget("5t", outcomes("PPPPPF"))).save(here / "a.json")
    result("second", budget("5t", outcomes("PFFFFP")), budget("6t", outcomes("P"))).save(here / "b.json")
    shown = call("compare", "a.json", "b.json", "--list")
    assert shown.code == 0, shown.err
    assert "delta" in shown.out and "-50.0 pp" in shown.out
    assert "proved by first and not by second:\n  t1\n" in shown.out
    assert "second: budgets 6t" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    data = Comparison.model_validate_json(call("compare", "a.json", "b.json", "--json").out)
    assert data.subsets[0].budgets[0].pairs[0].only_first == 4
    marked = call("compare", "a.json", "b.json", "--markdown", "--names", "x,y").out
    assert "| x | 5 | 83.3 % |" in marked and "| :--- | ---: |" in marked


def test_three_fit_into_80_columns(call: Any, here: Path) -> None:
    for name, text in (("tactics", "PPPPPF"), ("knn", "PFFFFP"), ("tiny", "FFFFFF")):
        result(name, budget("150t", outcomes(text * 40))).save(here / f"{name}.json")
    shown = call("compare", "tactics.json", "knn.json", "tiny.json").out
    assert max(map(len, shown.splitlines())) <= 80, shown
    assert "A = tactics\nB = knn\nC = tiny\n" in shown and "A, B" in shown and "P (HOLM)" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.json"], "two evaluations or more"),
        (["a.json", "b.json", "--json", "--markdown"], "give one of them"),
        (["a.json", "b.json", "--names", "x"], "gives 1 names for 2"),
        (["a.json", "nothing.json"], "There is no nothing.json"),
        (["a.json", "b.json", "--pairs", "nothing.csv"], "nothing.csv"),
    ],
)
def test_mistakes(call: Any, here: Path, words: list[str], said: str) -> None:
    for name in "ab":
        result(name, budget("5t", outcomes("P"))).save(here / f"{name}.json")
    answer = call("compare", *words)
    assert answer.code == 2 and said in answer.err, answer.err


def test_run_directories_are_compared_too(call: Any, here: Path) -> None:
    run = (
        "run",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--no-trajectories",
        "--limit",
        "12",
    )
    assert call(*run, "--budget", "20t", "--out", "r1").code == 0
    assert call(*run, "--budget", "20t", "--search", "depth-first", "--out", "r2").code == 0
    data = json.loads(call("compare", "r1", "r2", "--json").out)
    assert data["budgets"] == ["20t"]
    assert data["subsets"][0]["budgets"][0]["theorems"] == 12
    assert any("search" in note for note in data["notes"])


def test_how_figures_are_written() -> None:
    assert [difference(value) for value in (0.0, -0.0004, 0.0312, -1.0)] == ["+0.0", "+0.0", "+3.1", "-100.0"]
    assert [p_value(p) for p in (1.0, 0.04996, 0.00031, 0.0)] == ["1", "0.050", "3.1e-04", "<1e-99"]
