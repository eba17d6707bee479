"""A real Coq beside the fake prover: the same problems, in one page, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_records import unpacked
from toolchains import any_coq

from prover_core.cli.main import main
from prover_core.store import RunStore

COQ = """\
Lemma and_swap : forall P Q : Prop, P /\\ Q -> Q /\\ P.
Proof. Admitted.
Lemma same : forall P : Prop, P -> P.
Proof. Admitted.
Lemma wrong : forall P : Prop, P.
Proof. Admitted.
"""
PAIRS = """\
problem,coq,fake,equivalence,note
swap,Facts.v:and_swap,fake:and_swap,certified,by hand
same,Facts.v:same,fake:identity,audited,
wrong,Facts.v:wrong,fake:falsum,differs,
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where runs ``coq`` and ``fake``, with different budgets, lie beside a pairing table."""
    place = tmp_path_factory.mktemp("both")
    (place / "pairs.csv").write_text(PAIRS)
    (place / "Facts.v").write_text(COQ)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        coq = ["--env", "coq", "--model", "tactics", "--budget", "40t", "--set", f"env.bin={any_coq().bin}"]
        data = ["--data", "coq-files:Facts.v", "--set", "data.skip_admitted=false"]
        assert main(["run", *coq, *data, "--out", "coq"]) == 0
        fake = [
            "--env",
            "fake",
            "--model",
            "scripted",
            "--budget",
            "80t",
            "--attempts",
            "2",
            "--data",
            "fake",
        ]
        only = ["--only", "and_swap", "--only", "identity", "--only", "falsum"]
        assert main(["run", *fake, *only, "--out", "fake"]) == 0
        yield place


def test_two_provers_on_the_same_problems(folder: Path) -> None:
    assert main(["report", "coq", "fake", "--pairs", "pairs.csv", "--out", "both.html"]) == 0
    page = (folder / "both.html").read_text()
    data = unpacked(page)
    assert data["rows"]["name"] == ["same", "swap", "wrong"]
    assert data["rows"]["eq"] == ["audited", "certified", "differs"]
    coq, fake = data["runs"]
    assert (coq["prover"], fake["prover"]) == ("coq", "fake")
    assert coq["status"] == "ppb" or coq["status"] == "ppf"
    assert fake["status"][:2] == "pp" and fake["status"][2] in "fb"
    texts = data["texts"]
    assert texts[coq["stmt"][1]].startswith("Lemma and_swap :")
    assert texts[fake["stmt"][1]].startswith("theorem and_swap")
    assert texts[coq["proof"][1]].rstrip().endswith("Qed.")
    assert all(coq["tree"]) and all(fake["tree"])
    assert "checked by coqc" in texts[coq["more"][1]]
    text = re.sub(r"<[^>]+>", " ", page.split('<section id="comparison">')[1].split("</section>")[0])
    assert "Under the common ones (40 tactics, 1 attempt at each theorem)" in text
    assert "1 certified, 1 audited, 1 differs, 0 unknown" in text
    # the fake prover's proof of and_swap took 80 tactics: under the common 40 it counts as not found
    for subset, neither in (
        ("all pairs", 1),
        ("without those that differ", 0),
        ("certified or audited only", 0),
    ):
        assert re.search(rf"{subset}\s+coq\s+fake\s+{2 + neither}\s+1\s+1\s+0\s+{neither}\s", text), subset
    assert "coq proves 1 more than fake under common terms (40 tactics," in re.sub(r"<[^>]+>", "", page)
    own = text.split("each run on its own terms")[1]
    assert re.search(r"coq\s+fake\s+3\s+2\s+0\s+0\s+1\s", own)


def test_what_came_of_the_tactics_is_what_the_run_tried(folder: Path) -> None:
    assert main(["report", "coq", "--out", "coq.html"]) == 0
    page = (folder / "coq.html").read_text()
    rows = list(RunStore.open(folder / "coq").trajectory_rows())
    figure = page.split('id="outcomes"')[1].split("</figure>")[0]
    numbers = re.findall(r"<td>([a-z ]+)</td><td class=\"n\">([\d,]+)</td>", figure)
    counted = {"led on": 0, "closed the last goal": 0, "refused": 0, "not parsed": 0}
    for row in rows:
        name = {"advanced": "led on", "solved": "closed the last goal"}.get(row.outcome, "refused")
        counted["not parsed" if row.kind == "parse" else name] += row.outcome != "timed_out"
    found: dict[str, int] = {}
    for name, number in numbers:
        found[name] = found.get(name, 0) + int(number.replace(",", ""))
    assert {name: found.get(name, 0) for name in counted} == counted and counted["led on"] > 0
    assert sum(found.values()) == len(rows)
