"""The numbers of a report, against numbers worked out by hand and against the run's own summary."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_records import FakeRun, MakeRun, record

from prover_core.cli.main import main
from prover_core.errors import ConfigError, DataError
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable
from prover_core.evaluation.results import IterationResult
from prover_core.report.collect import _Reader, collect, run_sources
from prover_core.report.figures import (
    common_terms,
    comparisons,
    pass_curve,
    rate_of,
    solved_sets,
    subsets,
    under,
)
from prover_core.report.model import Cell, Row, Try
from prover_core.store import AttemptStatus
from prover_core.types import Budget


def _cell(*statuses: str, seconds: float = 1.0, tries: int = 10) -> Cell:
    made = [
        Try(i, f"u{i}", AttemptStatus(status), seconds, tries, 1)
        for i, status in enumerate(statuses, start=1)
    ]
    return Cell("t", "t", "statement", attempts=made)


def _row(name: str, *cells: Cell | None, pair: Pair | None = None) -> Row:
    return Row(name, name, "area", list(cells), pair)


def test_a_failure_of_the_machinery_is_in_no_rate() -> None:
    cells = [
        _cell("proved"),
        _cell("failed"),
        _cell("crashed"),
        _cell("unavailable"),
        _cell("unchecked"),
        None,
    ]
    rate = rate_of(cells)
    assert (rate.proved, rate.total, rate.value) == (1, 2, 0.5)
    assert rate_of([_cell("crashed")]).total == 0


def test_a_theorem_that_crashed_and_was_then_proved_is_proved() -> None:
    cell = _cell("crashed", "failed", "proved", seconds=2.0)
    assert (cell.n, cell.c, cell.proved) == (2, 1, True)
    assert cell.until_proved() == (6.0, 30)
    assert _cell("failed").until_proved() is None


def test_pass_at_k_by_hand() -> None:
    curve = pass_curve([_cell("proved", "failed"), _cell("failed", "failed"), _cell("proved")])
    assert curve.theorems == (3, 2)
    assert curve.values == pytest.approx((0.5, 0.5))  # (1/2 + 0 + 1) / 3; (1 + 0) / 2
    assert all(i.low <= v <= i.high for v, i in zip(curve.values, curve.intervals, strict=True))
    assert pass_curve([]).values == ()


def test_two_runs_are_compared_on_what_both_tell_something_about() -> None:
    rows = [
        _row("both", _cell("proved"), _cell("proved")),
        _row("only a", _cell("proved"), _cell("failed")),
        *[_row(f"only b {i}", _cell("failed"), _cell("proved")) for i in range(6)],
        _row("neither", _cell("failed"), _cell("rejected")),
        _row("crashed in b", _cell("proved"), _cell("crashed")),
        _row("not in a", None, _cell("proved")),
    ]
    made = comparisons(rows, 2)[0]
    assert (made.both, made.only_first, made.only_second, made.neither, made.total) == (1, 1, 6, 1, 9)
    assert made.difference == pytest.approx(5 / 9)
    assert made.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert made.interval.low <= made.difference <= made.interval.high
    assert comparisons([_row("x", _cell("proved"), None)], 2) == []


def test_three_runs_are_adjusted_together() -> None:
    rows = [_row(f"{i}", _cell("proved"), _cell("failed"), _cell("failed")) for i in range(6)]
    made = comparisons(rows, 3)
    assert [(m.first, m.second) for m in made] == [(0, 1), (0, 2), (1, 2)]
    assert made[0].p_value == pytest.approx(2 / 64)
    assert made[0].adjusted == pytest.approx(6 / 64)


def test_solved_sets_add_up() -> None:
    rows = [
        _row("a", _cell("proved"), _cell("proved")),
        _row("b", _cell("proved"), _cell("failed")),
        _row("c", _cell("proved"), None),
        _row("d", _cell("failed"), _cell("crashed")),
    ]
    assert solved_sets(rows, 2) == [((0,), 2), ((0, 1), 1), ((), 1)]


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=30))
def test_solved_sets_and_comparisons_agree(solved: list[list[bool]]) -> None:
    rows = [
        _row(f"{i}", *(_cell("proved" if s else "failed") for s in each)) for i, each in enumerate(solved)
    ]
    sets = dict(solved_sets(rows, 3))
    assert sum(sets.values()) == len(rows)
    for made in comparisons(rows, 3):
        both = sum(n for members, n in sets.items() if {made.first, made.second} <= set(members))
        only = sum(n for members, n in sets.items() if made.first in members and made.second not in members)
        assert (made.both, made.only_first) == (both, only)


def test_under_a_smaller_budget_what_took_more_is_not_found() -> None:
    rows = [
        _row("quick", _cell("proved", tries=10)),
        _row("slow", _cell("proved", tries=90)),
        _row("late", _cell("failed", "proved", tries=10)),
        _row("broken", _cell("crashed", tries=900)),
    ]
    made = under(rows, [Budget(tries=100)], Budget(tries=50), attempts=1)
    assert [r.cells[0].proved for r in made if r.cells[0]] == [True, False, False, False]
    assert [r.cells[0].n for r in made if r.cells[0]] == [1, 1, 1, 0]
    assert rows[1].cells[0] is not None and rows[1].cells[0].proved  # what was given is as it was


def test_runs_with_different_terms_are_brought_to_the_common_ones(made_run: MakeRun) -> None:
    slow = made_run("slow", [record("t", tries=90)], budget="100t,9s", attempts=4)
    quick = made_run("quick", [record("t", "failed", tries=50)], budget="50t", attempts=2)
    data = collect([slow, quick])
    budget, attempts = common_terms(data)
    assert (budget, attempts) == (Budget(tries=50, seconds=9.0), 2)
    levelled = under(data.rows, [run.budget for run in data.runs], budget, attempts)
    assert rate_of([row.cells[0] for row in levelled]).proved == 0


def test_pairs_join_provers_and_divide_by_what_is_known_of_them(made_run: MakeRun) -> None:
    coq = made_run("coq", [record(f"c{i}") for i in range(4)])
    lean = made_run("lean", [record(f"L{i}", "failed", prover="lean4") for i in range(4)], prover="lean4")
    flags = [Equivalence.CERTIFIED, Equivalence.AUDITED, Equivalence.DIFFERS, Equivalence.UNKNOWN]
    pairs = [
        Pair(f"p{i}", {"coq": f"c{i}", "lean4": f"l{i}"}, flag, area="x") for i, flag in enumerate(flags)
    ]
    data = collect([coq, lean], pairs=PairingTable("made", pairs))
    assert [row.key for row in data.rows] == ["p0", "p1", "p2", "p3"]
    assert all(all(row.cells) for row in data.rows)
    assert data.crossed
    assert {name: len(rows) for name, rows in subsets(data)} == {
        "all pairs": 4, "without those that differ": 3, "certified or audited only": 2
    }  # fmt: skip


def test_without_pairs_provers_have_nothing_in_common(made_run: MakeRun) -> None:
    coq, lean = (
        made_run("coq", [record("t")]),
        made_run("lean", [record("t", prover="lean4")], prover="lean4"),
    )
    data = collect([coq, lean])
    assert any("--pairs" in note for note in data.notes)
    assert sorted(row.key for row in data.rows) == ["t", "t [lean]"]
    assert comparisons(data.rows, 2) == []


def test_an_id_with_another_statement_is_another_theorem(made_run: MakeRun) -> None:
    one = made_run("one", [record("t"), record("same", statement="Lemma  same :\n True.")])
    two = made_run(
        "two", [record("t", statement="Lemma t : False."), record("same", statement="Lemma same : True.")]
    )
    data = collect([one, two])
    assert [(row.key, [cell is not None for cell in row.cells]) for row in data.rows] == [
        ("same", [True, True]), ("t", [True, False]), ("t [two]", [False, True])
    ]  # fmt: skip
    assert any(note.startswith("1 theorem has the id of another") for note in data.notes)


def test_the_figures_are_those_of_the_run_itself(fake_run: FakeRun) -> None:
    run = fake_run("run", attempts=2)
    data = collect([run])
    view, cells = data.runs[0], [row.cells[0] for row in data.rows]
    assert rate_of(cells).proved == view.summary.theorems_proved > 10
    assert sum(len(cell.attempts) for cell in cells if cell) == view.summary.attempts == 2 * len(data.rows)
    assert {row.area for row in data.rows} == {"Arith", "Bool", "Lists", "Logic"}
    assert all(cell.proof.strip() for cell in cells if cell and cell.proved)


def test_two_theorems_of_one_name_are_not_one_problem(made_run: MakeRun) -> None:
    run = made_run("run", [record("A.v:x", name="x"), record("B.v:x", "failed", name="x")])
    data = collect([run], pairs=PairingTable("made", [Pair("p", {"coq": "x", "lean4": "x"})]))
    assert [(row.key, row.pair is not None) for row in data.rows] == [("B.v:x", False), ("p", True)]
    assert rate_of([row.cells[0] for row in data.rows]).total == 2


def test_which_of_two_theorems_of_one_name_a_pair_means_does_not_depend_on_their_order(
    made_run: MakeRun,
) -> None:
    two = [
        record("B.v:x", "failed", name="x"),
        record("A.v:x", name="x"),
        record("A.v:x", name="x", attempt=2),
    ]
    for wanted, chosen, proved in (("x", "A.v:x", True), ("B.v:x", "B.v:x", False)):
        pairs = PairingTable("made", [Pair("p", {"coq": wanted, "lean4": "x"}, area="here")])
        runs = [
            made_run(f"{wanted[0]}{i}", each) for i, each in enumerate((two, two[::-1], two[1:] + two[:1]))
        ]
        data = collect(runs, pairs=pairs)
        paired, other = next(r for r in data.rows if r.pair), next(r for r in data.rows if not r.pair)
        assert len(data.rows) == 2 and other.key == ({"A.v:x", "B.v:x"} - {chosen}).pop()
        assert [cell and cell.theorem_id for cell in paired.cells] == [chosen] * 3
        assert [cell and cell.proved for cell in paired.cells] == [proved] * 3
        assert [cell and len(cell.attempts) for cell in other.cells] == [1 if proved else 2] * 3
        assert (paired.area, other.area) == ("here", "(none)")


def test_problems_have_different_keys_however_often_an_id_is_stated_anew(made_run: MakeRun) -> None:
    said = [record("t", statement=f"Lemma t : {i} = {i}.", attempt=i, uid=f"u{i}") for i in range(1, 5)]
    data = collect([made_run("run", [*said, record("t [run]")])])
    assert len({row.key for row in data.rows}) == len(data.rows) == 5


def test_what_broke_is_counted_by_attempts_also_at_theorems_proved_later(made_run: MakeRun) -> None:
    run = made_run("run", [
        record("t", "crashed", attempt=1, error_class="EnvironmentCrashedError"),
        record("t", "crashed", attempt=2, error_class="EnvironmentCrashedError"),
        record("t", attempt=3), record("u", "unchecked"),
    ], attempts=3)  # fmt: skip
    view = collect([run]).runs[0]
    assert view.broken == {
        (AttemptStatus.CRASHED, "EnvironmentCrashedError"): 2, (AttemptStatus.UNCHECKED, ""): 1
    }  # fmt: skip
    assert sum(view.broken.values()) == view.summary.crashed + view.summary.unchecked


def test_an_evaluation_is_named_by_its_result_and_refused_while_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["eval", "--env", "fake", "--model", "scripted", "--data", "fake", "--budgets", "20t"]
    assert main([*words, "--out", "done"]) == 0
    (named,), (folder,) = run_sources([Path("done/result.json")]), run_sources([Path("done")])
    assert named == folder
    Path("done/result.json").unlink()
    with pytest.raises(DataError, match=r"the evaluation in done has not ended.* --resume"):
        collect([Path("done")])


def test_an_evaluation_is_one_run_for_each_budget_that_was_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["eval", "--env", "fake", "--model", "scripted", "--data", "fake", "--attempts", "2"]
    assert main([*words, "--budgets", "20t,100t", "--out", "joined", "--name", "mine"]) == 0
    assert main([*words, "--budgets", "20t,60t", "--separate", "--out", "apart", "--name", "other"]) == 0
    data = collect([Path("joined"), Path("apart")])
    assert [view.label for view in data.runs] == ["mine", "other 20t", "other 60t"]
    assert [view.budget for view in data.runs] == [Budget(tries=100), Budget(tries=20), Budget(tries=60)]
    result = IterationResult.load(Path("joined")).budget("100t")
    assert result is not None
    rate = rate_of([row.cells[0] for row in data.rows])
    assert (rate.proved, rate.total, rate.low, rate.high) == (
        result.proved, result.evaluated, result.rate_low, result.rate_high
    )  # fmt: skip
    curve = pass_curve([row.cells[0] for row in data.rows])
    assert curve.values == pytest.approx([each.value for each in result.pass_at])
    Path("joined/result.json").write_text("{}")
    with pytest.raises(DataError, match=r"result\.json"):
        collect([Path("joined")])


def test_the_parts_of_an_evaluation_are_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_run: MakeRun
) -> None:
    parts = [made_run("a", [record("t", metadata={"area": "x"})]), made_run("b", [record("u", "crashed")])]
    view = _Reader({}, 0, 1, None).read("both", parts)
    assert (view.summary.theorems, view.summary.attempts, view.summary.crashed) == (2, 2, 1)
    assert view.provenance.theorems == 2 and view.folders == tuple(parts)


def test_labels(made_run: MakeRun) -> None:
    runs = [made_run("a/run", [record("t")]), made_run("b/run", [record("t")])]
    assert [view.label for view in collect(runs).runs] == ["a/run", "b/run"]
    assert [view.label for view in collect(runs, labels=["x", "x"]).runs] == ["x", "x (2)"]
    with pytest.raises(ConfigError, match=r"1 label given for 2 runs \(run, run\)"):
        collect(runs, labels=["x"])


def test_the_best_proof_is_shown_and_the_last_failure(made_run: MakeRun) -> None:
    run = made_run(
        "run",
        [
            record("t", tries=50, attempt=1, proof_text="long"),
            record("t", tries=5, attempt=2, proof_text="short"),
            record("u", "crashed", attempt=2, error_class="EnvironmentCrashedError", error="gone"),
            record("u", "failed", attempt=1),
        ],
        attempts=2,
    )
    t, u = (row.cells[0] for row in collect([run]).rows)
    assert t is not None and t.proof == "short" and [a.number for a in t.attempts] == [1, 2]
    assert u is not None and u.status is AttemptStatus.FAILED and not u.proof


def test_two_problems_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="two problems called p"):
        PairingTable("x", [Pair("p", {"coq": "a"}), Pair("p", {"coq": "b"})])
    with pytest.raises(DataError, match="coq theorem a is given for p and for q"):
        PairingTable("x", [Pair("p", {"coq": "a"}), Pair("q", {"coq": "a"})])
