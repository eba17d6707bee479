"""What the page says in words and tables, against what the other commands say about the same runs."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from report_records import FakeRun, MakeRun, record

from prover_core.cli.main import main
from prover_core.evaluation.compare import compare_results
from prover_core.evaluation.gather import load_result
from prover_core.evaluation.pair_tables import read_pairs
from prover_core.report import collect, render
from prover_core.report.figures import common_terms, comparisons, rate_of, under
from prover_core.report.model import Cell, Row, Try
from prover_core.report.sections import costs
from prover_core.report.steps import Steps
from prover_core.store import AttemptStatus, RunStore
from prover_core.store.summary import summarise
from prover_core.types import Budget

FEW = ("intros.", "assumption.", "trivial.")


def _words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split()).replace("\u202f", " ")


def _first(page: str) -> str:
    return " ".join(map(_words, re.findall(r'<p class="lede">(.*?)</p>', page)))


def _ten(proved: range, **more: object) -> list[object]:
    return [record(f"t{i}", "proved" if i in proved else "failed", **more) for i in range(20)]


def test_two_runs_are_said_to_differ_only_where_that_is_shown(made_run: MakeRun) -> None:
    few, some, many = (
        made_run(name, _ten(proved))
        for name, proved in (("few", range(5)), ("some", range(8)), ("many", range(15)))
    )
    assert _first(render(collect([few, many]))).endswith(
        "On the 20 problems with a result from both, many proves 10 more than few: many minus few is "
        "+50.0 points, 95 % interval +30.0 to +70.0, exact McNemar p = 0.002. "
        "At the 5 % level that shows a difference."
    )
    said = _first(render(collect([some, few])))
    assert "some proves 3 more than few: few minus some is −15.0 points" in said
    assert said.endswith("exact McNemar p = 0.250. At the 5 % level that shows no difference.")
    said = _first(render(collect([few, made_run("others", _ten(range(15, 20)))])))
    assert "few and others prove equally many: others minus few is 0.0 points, 95 % interval" in said
    assert "exact McNemar p = 1.000. At the 5 % level that shows no difference." in said


def test_of_several_runs_those_that_can_be_told_apart_are_named(made_run: MakeRun) -> None:
    runs = [made_run(name, _ten(proved)) for name, proved in
            (("none", range(0)), ("few", range(3)), ("lots", range(15)), ("all", range(20)))]  # fmt: skip
    said = _first(render(collect(runs)))
    assert said.startswith("Highest of 4 runs: all proves 20 of 20 theorems (100.0 %")
    assert (
        "4 of 6 pairs of runs differ by the exact McNemar test, adjusted by Holm, at the 5 % level: all over "
        "none (p < 0.001), all over few (p < 0.001), lots over none (p < 0.001), and 1 more."
    ) in said
    same = [made_run(f"same{i}", _ten(range(9))) for i in range(3)]
    assert "None of 3 pairs of runs differs by the exact McNemar test" in _first(render(collect(same)))


def test_different_terms_and_runs_that_are_not_finished_are_said_at_once(made_run: MakeRun) -> None:
    whole = made_run("whole", _ten(range(12)), attempts=2)
    part = made_run("part", _ten(range(12))[:6], budget="50t")
    with RunStore.open(part) as store:
        raw = store.provenance.model_dump_json().replace('"theorems":6', '"theorems":20')
    (part / "provenance.json").write_text(raw)
    said = _first(render(collect([whole, part])))
    assert "part proves 6 of 6 theorems" in said and "not finished, 14 not attempted)." in said
    assert "prove equally many under common terms (50 tactics, 1 attempt at each theorem): part minus" in said
    more = [made_run(f"more{i}", _ten(range(12)), budget=f"{i}00t") for i in range(1, 5)]
    said = _first(render(collect(more)))
    assert "Highest of 4 runs, each on its own terms:" in said
    assert (
        "Under common terms (100 tactics, 1 attempt at each theorem), none of 6 pairs of runs differs" in said
    )


def test_problems_that_are_stated_differently_are_named_where_the_difference_is(
    made_run: MakeRun, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("problem,coq,lean4,equivalence\na,a,a,differs\nb,b,b,audited\n")
    both = {p: [record("a", prover=p), record("b", "failed", prover=p)] for p in ("coq", "lean4")}
    runs = [made_run(prover, records, prover=prover) for prover, records in both.items()]
    page = render(collect(runs, pairs=read_pairs(str(tmp_path / "p.csv"))))
    assert _first(page).endswith(
        "1 problem is known to be stated differently; the comparison is made without it too, below."
    )


@pytest.mark.parametrize("attempts", [1, 3])
def test_the_figures_are_those_of_compare_and_summary(fake_run: FakeRun, attempts: int) -> None:
    tactics = {"all": (), "few": FEW, "five": (*FEW, "split.", "left.")}
    runs = [fake_run(name, tactics=t, attempts=attempts, budget="60t") for name, t in tactics.items()]
    data = collect(runs)
    (found,) = compare_results([load_result(run) for run in runs], runs).subsets[0].budgets
    page = render(data)
    table = re.search(r"<caption>Problems with a result from both runs</caption>.*?</table>", page, re.S)
    assert table
    rows = [[_words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", table[0])[1:]]  # fmt: skip
    assert len(rows) == len(found.pairs) == 3
    for row, pair, made in zip(rows, found.pairs, comparisons(data.rows, 3), strict=True):
        counts = (pair.both, pair.only_first, pair.only_second, pair.neither)
        assert row[:7] == [pair.first, pair.second, "36", *map(str, counts)]
        assert (made.difference, made.interval.low, made.interval.high, made.p_value, made.adjusted) == (
            pair.difference, pair.difference_low, pair.difference_high, pair.p, pair.p_holm
        )  # fmt: skip
        assert float(row[7].replace("−", "-")) == pytest.approx(100 * pair.difference, abs=0.051)
        low, high = (float(end.replace("−", "-")) for end in row[8].split(" to "))
        assert (low, high) == pytest.approx(
            (100 * pair.difference_low, 100 * pair.difference_high), abs=0.051
        )
        for shown, p in ((row[9], pair.p), (row[10], pair.p_holm)):
            assert shown == ("< 0.001" if p < 0.001 else f"{p:.3f}")
    for i, (run, side) in enumerate(zip(runs, found.sides, strict=True)):
        own = summarise(RunStore.open(run))
        rate = rate_of([row.cells[i] for row in data.rows])
        assert (rate.proved, rate.low, rate.high) == (side.proved, side.rate_low, side.rate_high)
        assert rate.proved == own.theorems_proved
        ended = f"{own.attempts} {own.proved} {own.failed} {own.out_of_budget} {own.rejected}"
        assert f"{side.proved} 36 {100 * side.rate:.1f} % {ended}" in _words(page)
        assert f"{own.tries:,} {own.tries_per_second:,.1f} {own.model_calls:,}" in _words(page)


def test_small_parts_are_in_the_words_of_a_chart_too(made_run: MakeRun) -> None:
    records = [record(f"t{i:04}", "crashed" if i < 3 else "proved") for i in range(1000)]
    page = render(collect([made_run("run", records)]))
    (spoken,) = set(re.findall(r'<desc id="endings-\w+-d">(.*?)</desc>', page))
    assert spoken.endswith("run, proved: 997; run, machinery broke: 3")


def test_every_axis_says_what_it_counts_and_in_what(fake_run: FakeRun) -> None:
    page = render(collect([fake_run("run", attempts=2)]))
    drawn = {name: _words(re.search(rf'id="{name}".*?</figure>', page, re.S)[0])  # type: ignore[index]
             for name in ("cactus", "tries", "passk", "time", "rates", "areas")}  # fmt: skip
    for name, words in (
        ("cactus", ("theorems proved", "search time at one theorem, log scale", " ms")),
        ("tries", ("theorems proved", "tactics tried at one theorem, log scale")),
        ("passk", ("pass@k", "attempts k", " %")),
        ("time", (" ms",)), ("rates", (" %",)), ("areas", (" %",)),
    ):  # fmt: skip
        assert all(word in drawn[name] for word in words), name


def test_where_nothing_was_proved_nothing_is_drawn_and_that_is_said(made_run: MakeRun) -> None:
    none = render(collect([made_run("none", [record("t", "failed")])]))
    assert 'id="cactus"' not in none and 'id="tries"' not in none
    assert "Nothing was proved, so there is nothing to draw against time or tactics." in none
    assert "One attempt at each theorem" in none
    empty = render(collect([made_run("empty", [])]))
    assert "One attempt at each theorem" not in empty and "0 problems, 1 run</p>" in empty


def test_under_common_terms_the_figures_are_those_of_the_evaluation_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["eval", "--env", "fake", "--model", "scripted", "--data", "fake"]
    assert main([*words, "--budgets", "2t,10t,60t", "--out", "wide"]) == 0
    few = ["--set", f"policy.tactics={[*FEW, 'split.', 'left.', 'right.']}"]
    assert main([*words, *few, "--budgets", "2t,10t", "--out", "narrow"]) == 0
    paths = [Path("wide"), Path("narrow")]
    results = [load_result(path) for path in paths]
    data = collect(paths)
    taken = [cost for row in data.rows if (cell := row.cells[0]) and (cost := cell.until_proved())]
    for each in results[0].budgets:  # a search goes on for a moment after the proof: that is not counted
        limit = int(each.budget.removesuffix("t"))
        assert sum(tries <= limit for _, tries in taken) == each.proved > 0
    found = next(b for b in compare_results(results, paths).subsets[0].budgets if b.budget == "10t")
    (pair,) = found.pairs
    budget, attempts = common_terms(data)
    (made,) = comparisons(under(data.rows, [run.budget for run in data.runs], budget, attempts), 2)
    assert (made.both, made.only_first, made.only_second, made.neither, made.p_value) == (
        pair.both, pair.only_first, pair.only_second, pair.neither, pair.p
    )  # fmt: skip
    assert "under common terms (10 tactics, 1 attempt at each theorem)" in _first(render(data))


def test_a_limit_that_a_run_had_itself_takes_nothing_from_it() -> None:
    late = Try(1, "u", AttemptStatus.PROVED, seconds=10.2, tries=9, model_calls=3, tokens=70)

    def kept(own: Budget, **common: float) -> bool:
        row = Row("t", "t", "area", [Cell("t", "t", "", attempts=[late])])
        (cell,) = under([row], [own], Budget(**common), 1)[0].cells  # type: ignore[arg-type]
        return cell is not None and cell.proved

    assert kept(Budget(seconds=10), seconds=10)  # the clock was looked at a moment late
    assert not kept(Budget(seconds=20), seconds=10) and not kept(Budget(), seconds=10)
    assert kept(Budget(seconds=10), seconds=10, tries=9)
    assert not kept(Budget(seconds=10), seconds=10, tries=8)
    assert kept(Budget(), tokens=71) and not kept(Budget(), tokens=70)
    assert kept(Budget(), model_calls=3) and not kept(Budget(), model_calls=2)


def test_sources_with_the_same_ids_are_kept_apart_as_the_evaluation_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["eval", "--env", "fake", "--model", "scripted", "--budgets", "60t", "--attempts", "2"]
    assert main([*words, "--data", "fake:and_*", "--data", "fake:*_swap", "--out", "both"]) == 0
    result = load_result(Path("both")).budgets[0]
    ids = [theorem.id for theorem in result.theorems]
    assert len({id.rpartition("/")[2] for id in ids}) < len(ids)
    data = collect([Path("both")])
    assert sorted(row.key for row in data.rows) == sorted(ids)
    cells = [row.cells[0] for row in data.rows]
    assert all(cell is not None and len(cell.attempts) == 2 for cell in cells)
    assert (rate_of(cells).proved, rate_of(cells).total) == (result.proved, result.evaluated)
    assert data.runs[0].summary.theorems_proved == result.proved
    assert data.runs[0].config["data"] == "fake:and_*, fake:*_swap"


def test_a_bar_of_outcomes_is_of_all_tactics_also_those_of_a_later_version(made_run: MakeRun) -> None:
    steps = Steps(outcomes=Counter({"advanced": 5, "tactic": 3, "dreamt": 2}))
    drawn = _words(costs(collect([made_run("run", [record("t")])]), [steps]))
    for part in ("run led on 5 50.0 %", "run refused 3 30.0 %", "run other 2 20.0 %"):
        assert part in drawn


def test_runs_that_have_nothing_in_common_are_not_ranked(made_run: MakeRun) -> None:
    page = render(collect([made_run("one", [record("a")]), made_run("two", [record("b", "failed")])]))
    assert _first(page).endswith("The runs have no problem in common, so nothing here says which is better.")


def test_the_terms_are_told_in_words(made_run: MakeRun) -> None:
    runs = [made_run(f"r{i}", [record("a")], budget="1500t,90s,7c,9k") for i in range(2)]
    words = (
        "Every run had the same terms: 1,500 tactics, 1.5 min, 7 model calls, 9,000 tokens, 1 attempt at each"
    )
    assert words in _words(render(collect(runs)))
    free = [made_run(f"f{i}", [record("a")], budget="unlimited") for i in range(2)]
    assert "Every run had the same terms: no limits, 1 attempt" in _words(render(collect(free)))
