"""The page as text: it stands alone, is well-formed, escapes what others wrote, is the same each time."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_records import FakeRun, MakeRun, record, unpacked

from prover_core.cli.main import main
from prover_core.evaluation.pair_tables import read_pairs
from prover_core.report import ReportOptions, collect, render
from prover_core.report.svg import esc, linear_ticks, log_ticks, seconds_text, shorten, time_ticks
from prover_core.store import RunStore

VOID = {"meta", "input", "link", "br", "hr", "img"}


class Checker(HTMLParser):
    """Every element is closed, in order; collects what matters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def checked(page: str) -> Checker:
    found = Checker()
    found.feed(page)
    found.close()
    assert not found.open
    assert len(found.ids) == len(set(found.ids)), "two elements have one id"
    return found


def test_a_page_of_a_real_run_is_well_formed_and_stands_alone(fake_run: FakeRun) -> None:
    page = render(collect([fake_run("one", attempts=2), fake_run("two", tactics=("intros.", "assumption."))]))
    found = checked(page)
    for tag, attributes in found.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "style", "onclick", "onload"} & set(attributes)
        href = attributes.get("href")
        assert href is None or href.startswith("#")
    assert "default-src 'none'" in page
    assert not re.search(r"https?://", re.sub(r"<script.*?</script>", "", page, flags=re.S))
    targets = {a["href"] for t, a in found.tags if t == "a" and a.get("href")}
    assert targets <= {f"#{ident}" for ident in found.ids}


def test_every_chart_says_in_words_what_it_shows(fake_run: FakeRun) -> None:
    page = render(collect([fake_run("one", attempts=2), fake_run("two")]))
    drawings = re.findall(r'<svg class="(?:wide|narrow)".*?</svg>', page, flags=re.S)
    assert len(drawings) >= 16
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        named = {child.get("id"): child.text for child in root if child.tag in ("title", "desc")}
        assert named.get(root.get("aria-labelledby")) and named.get(root.get("aria-describedby"))
        numbers = re.findall(r'[xy12]="(-?[\d.]+)"', drawing)
        assert numbers and not re.search(r"nan|inf", " ".join(numbers))
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.S)
    assert all("<table>" in figure for figure in figures)
    for wanted in ("cactus", "passk", "sets", "areas", "endings", "outcomes", "time", "rates"):
        assert f'id="{wanted}"' in page


def test_the_same_runs_give_the_same_page(fake_run: FakeRun) -> None:
    runs = [fake_run("one"), fake_run("two", budget="20t")]
    assert render(collect(runs)) == render(collect(runs))


HOSTILE = [
    "</script><script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", "\" onload='x' '",
    "]]>--><!--", "&lt;b&gt;&amp;", "\u202egnp.exe", "a\x00b\x1b[31m", "</title></style>",
    "javascript:alert(1)",
]  # fmt: skip

_TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(min_size=1, max_size=40),
    st.text("<>&'\"/! script-", min_size=1, max_size=30),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_TEXT, statement=_TEXT, proof=_TEXT, area=_TEXT, error=_TEXT, label=_TEXT)
def test_what_others_wrote_is_only_ever_text(
    tmp_path_factory: pytest.TempPathFactory,
    made_run: MakeRun,
    name: str,
    statement: str,
    proof: str,
    area: str,
    error: str,
    label: str,
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    facts = {"statement": statement, "metadata": {"area": area}}
    run = made_run(
        str(folder / "run"),
        [
            record(name, proof_text=proof, **facts),
            record(f"{name}2", "crashed", error=error, error_class=error, **facts),
        ],
    )
    page = render(collect([run], labels=[label]), ReportOptions(title=name))
    plain = render(collect([made_run(str(folder / "plain"), [record("a"), record("b", "crashed")])]))
    shape = [tag for tag, _ in checked(page).tags]
    assert shape.count("script") == [tag for tag, _ in checked(plain).tags].count("script")
    assert {"img", "iframe", "b2"}.isdisjoint(shape)
    rows = unpacked(page)["rows"]
    assert isinstance(rows, dict) and len(rows["name"]) == 2


@given(st.text())
def test_escaped_text_is_text_in_xml(text: str) -> None:
    root = ElementTree.fromstring(f'<a b="{esc(text)}">{esc(text)}</a>')
    assert list(root) == [] and list(root.keys()) == ["b"]


def test_statements_and_proofs_are_cut_where_the_page_would_be_too_large(made_run: MakeRun) -> None:
    draw = random.Random(0)
    texts = [draw.randbytes(1500).hex() for _ in range(760)]
    run = made_run(
        "run", [record(f"t{i}", statement=texts[2 * i], proof_text=texts[2 * i + 1]) for i in range(380)]
    )
    page = render(collect([run]), ReportOptions(max_mb=1))
    assert len(page.encode()) < 1_000_000
    assert "To keep the page small, statements and proofs are cut to" in page
    assert "To keep the page small" not in render(collect([run]), ReportOptions(max_mb=15))


def test_a_run_of_which_nothing_is_known(made_run: MakeRun) -> None:
    page = render(collect([made_run("run", [record("t", "crashed", error_class="EnvironmentCrashedError")])]))
    checked(page)
    assert "No attempt says anything about a theorem" in page
    assert "EnvironmentCrashedError" in page


def test_an_empty_run_has_a_page(made_run: MakeRun) -> None:
    checked(render(collect([made_run("run", [])])))


def test_many_runs_have_a_page(made_run: MakeRun) -> None:
    runs = [made_run(f"run{i}", [record(f"t{j}", "proved" if (i + j) % 3 else "failed") for j in range(6)])
            for i in range(11)]  # fmt: skip
    checked(render(collect(runs)))


def test_trees_of_real_searches(fake_run: FakeRun) -> None:
    run = fake_run("run")
    page = render(collect([run]), ReportOptions(trees=5))
    packed = unpacked(page, "data-trees")
    trees, texts = packed["trees"], packed["texts"]
    assert isinstance(trees, dict) and isinstance(texts, list) and len(trees) == 5
    proofs = {r.uid: r.proof for r in RunStore.open(run).records()}
    for uid, tree in trees.items():
        way, node = [], "0"
        while node in tree and (edge := next((e for e in tree[node][1] if e[5] & 1), None)):
            way.append(texts[edge[0]])
            node = str(edge[2])
        assert (
            tuple(f"{tactic.rstrip('.')}." for tactic in way) == proofs[uid]
        )  # the edges marked as the proof are the proof
    assert "data-trees" not in render(collect([run]), ReportOptions(trees=0)).split("</head>")[1]


def test_the_command(
    fake_run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = fake_run("one"), fake_run("two")
    (tmp_path / "pairs.csv").write_text("problem,fake,coq,equivalence\nx,fake:identity,Logic.v:id,audited\n")
    assert main(["report", str(one), str(two), "--label", "A", "--label", "B", "--pairs", "pairs.csv"]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "<h1>A · B</h1>" in page and "With and without pairs" in page
    assert "36 problems, 2 runs" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "There is no run" in capsys.readouterr().err
    assert main(["report", str(one), "--out", str(tmp_path / "no" / "x.html"), "--pairs", "none.csv"]) == 2
    assert not (tmp_path / "no").exists()


def test_nothing_but_a_page_is_written_over(
    made_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made_run("run", [record("t")])
    results = run / "results.jsonl"
    before = results.read_bytes()
    assert main(["report", str(run), "--out", str(results)]) == 2
    assert "is not a page of HTML; it was left as it is" in capsys.readouterr().err
    assert results.read_bytes() == before
    assert main(["report", str(run), "--out", str(tmp_path)]) == 2
    assert "is a folder: give --out the name of a file in it" in capsys.readouterr().err
    page = tmp_path / "page.html"
    for _ in range(2):  # its own page is
        assert main(["report", str(run), "--out", str(page)]) == 0
    page.write_text("")
    assert main(["report", str(run), "--out", str(page)]) == 0 and page.stat().st_size > 10_000


def test_a_page_that_is_too_large_all_the_same_is_said_to_be(
    made_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(1)
    run = made_run("run", [record(draw.randbytes(600).hex()) for _ in range(1300)])
    assert main(["report", str(run), "--max-mb", "1", "--out", str(tmp_path / "page.html")]) == 0
    assert "It is larger than --max-mb 1: cutting statements and proofs was not enough." in (
        " ".join(capsys.readouterr().out.split())
    )


def test_statements_of_the_other_prover_come_from_the_table(made_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("problem,coq,lean4,statement_lean4\np,t,t,theorem t : True\n")
    page = render(collect([made_run("run", [record("t")])], pairs=read_pairs(str(tmp_path / "p.csv"))))
    data = unpacked(page)
    rows, texts = data["rows"], data["texts"]
    assert isinstance(rows, dict) and isinstance(texts, list)
    ((prover, name, text),) = rows["other"][0]
    assert (prover, name, texts[text]) == ("lean4", "t", "theorem t : True")


def test_small_words() -> None:
    assert (
        seconds_text(0.004) == "4\u202fms"
        and seconds_text(75) == "1.25\u202fmin"
        and seconds_text(9000) == "2.5\u202fh"
    )
    told = [seconds_text(s).replace("\u202f", " ") for s in (0, 1e-9, 0.9994, 0.9996, 59.97, 3599.9, 4.5e6)]
    assert told == ["0 s", "<1 ms", "999 ms", "1 s", "60 s", "60 min", "1,250 h"]
    assert linear_ticks(12, whole=True) == [0, 5, 10, 15] and linear_ticks(3, whole=True) == [0, 1, 2, 3]
    assert shorten("abcdefghij", 5) == "ab…ij" and len(shorten("x" * 99, 20)) == 20
    assert linear_ticks(0) == [0.0, 1.0] and linear_ticks(27)[-1] >= 27
    assert log_ticks(0.02, 3)[0] <= 0.02 and log_ticks(0.02, 3)[-1] >= 3
    assert log_ticks(1, 1) == [1.0, 10.0]
    assert time_ticks(0.02, 200) == [0.01, 0.1, 1.0, 10.0, 60.0, 600.0]
    assert time_ticks(1, 1) == [1.0, 10.0]
