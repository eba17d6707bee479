"""Pairing tables: the real benchmarks where they are at hand, small copies of their layouts, CSV files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_core.cli.main import main
from prover_core.errors import DataError, UnknownNameError
from prover_core.evaluation.pair_tables import read_pairs
from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable, pairs_csv, prover_name

ROOT = Path(__file__).parents[3]


def _shared(name: str) -> Path:
    for place in (ROOT / "shared/data" / name, ROOT.parent / "shared/data" / name):
        if place.is_dir():
            return place
    pytest.skip(f"shared/data/{name} is not at hand: the real {name} was NOT read")


def test_the_real_minif2f() -> None:
    table = read_pairs(f"minif2f:{_shared('minif2f')}")
    assert len(table) == 244
    assert table.counts() == {
        Equivalence.CERTIFIED: 0, Equivalence.AUDITED: 70, Equivalence.DIFFERS: 1, Equivalence.UNKNOWN: 173
    }  # fmt: skip
    wrong = table.find("coq", "aimeII_2020_p6")
    assert wrong is not None and wrong.equivalence is Equivalence.DIFFERS and "wrong" in wrong.note
    assert wrong.statements["lean4"].startswith("import Mathlib")
    assert wrong.statements["coq"].startswith("Require Import")


def test_the_real_putnambench() -> None:
    table = read_pairs(f"putnambench:{_shared('putnambench')}")
    assert sum(pair.complete for pair in table.pairs) == 410
    assert table.counts()[Equivalence.UNKNOWN] == 410
    assert len(table) == 412 + 672 - 410


def _minif2f(folder: Path, names: tuple[str, ...] = ("p_one", "mathd_algebra_2")) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [{"id": n, "split": "valid", "lean4": f"theorem {n}", "rocq": f"Theorem {n}."} for n in names]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_audit_feeds_the_flag(tmp_path: Path) -> None:
    audit = {
        "P_ONE": {"status": "syntax improvement", "modified": True, "proof": True},
        "mathd_algebra_2": {"status": "something of next year", "modified": False, "proof": False},
        "gone": {"status": "no changes", "modified": False, "proof": False},
    }
    folder = _minif2f(tmp_path / "m")
    (folder / "rocq_audit.json").write_text(json.dumps(audit))
    table = read_pairs(f"minif2f:{folder}")
    first, second = table.pairs
    assert (first.equivalence, first.note) == (
        Equivalence.AUDITED, "audit: syntax improvement, statement changed"
    )  # fmt: skip
    assert second.equivalence is Equivalence.UNKNOWN  # a status that is not known is not taken for a good one
    assert second.area == "mathd_algebra"
    assert any("1 audited problems are not in the table (gone" in note for note in table.notes)


def test_a_proof_in_rocq_certifies_nothing(tmp_path: Path) -> None:
    folder = _minif2f(tmp_path / "m", ("p_one",))
    (folder / "audit.json").write_text(
        '{"p_one": {"status": "no changes", "modified": false, "proof": true}}'
    )
    assert read_pairs(f"minif2f:{folder}").pairs[0].equivalence is Equivalence.AUDITED


@pytest.mark.parametrize(
    ("audit", "said"),
    [("[]", "not an object"), ('{"p_one": {"modified": true}}', "p_one: no status"), ("{", "audit.json")],
)
def test_a_broken_audit_is_named(tmp_path: Path, audit: str, said: str) -> None:
    folder = _minif2f(tmp_path / "m")
    (folder / "audit.json").write_text(audit)
    with pytest.raises(DataError, match=said):
        read_pairs(f"minif2f:{folder}")


def test_two_checkouts_are_joined_in_any_letter_case(tmp_path: Path) -> None:
    lean, rocq = tmp_path / "lean" / "MiniF2F" / "Valid", tmp_path / "rocq" / "valid"
    for folder, files in ((lean, ("notEquiv.lean", "only_lean.lean")), (rocq, ("NotEquiv.v",))):
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text(f"statement of {file}")
    (tmp_path / "rocq" / "audit.json").write_text('{"notequiv": {"status": "no changes"}}')
    (tmp_path / "lean/.lake/packages/other/test").mkdir(parents=True)
    (tmp_path / "lean/.lake/packages/other/test/Foreign.lean").write_text("example : True := trivial")
    for order in (f"{tmp_path}/lean,{tmp_path}/rocq", f"{tmp_path}/rocq,{tmp_path}/lean"):
        table = read_pairs(f"minif2f:{order}")
        pair = table.find("lean4", "notEquiv")
        assert pair is not None and pair is table.find("coq", "NotEquiv")
        assert pair.equivalence is Equivalence.AUDITED and pair.split == "valid"
        assert table.find("coq", "only_lean") is None and len(table) == 2
        file = tmp_path / "kept.csv"
        file.write_text(pairs_csv(table), newline="")
        assert read_pairs(str(file)).pairs == table.pairs  # texts of the statements and all
    with pytest.raises(DataError, match="coq"):
        read_pairs(f"minif2f:{tmp_path}/lean,{tmp_path}/lean")


def test_rows_that_lack_something_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "x-pairs.jsonl"
    file.write_text('{"id": "a", "lean4": "l", "rocq": "r"}\n{"id": "b", "lean4": ""}\n{"lean4": 3}\n')
    with pytest.raises(DataError) as caught:
        read_pairs(f"minif2f:{file}")
    assert "line 2: no text as lean4 or rocq" in str(caught.value)
    assert "line 3: no text as id or lean4 or rocq" in str(caught.value)


def test_putnambench_out_of_its_checkout(tmp_path: Path) -> None:
    for folder, suffix, years in (("lean4", ".lean", (1962, 1963)), ("coq", ".v", (1963,))):
        (tmp_path / folder / "src").mkdir(parents=True)
        for year in years:
            (tmp_path / folder / "src" / f"putnam_{year}_a1{suffix}").write_text("")
    table = read_pairs(f"putnambench:{tmp_path}")
    assert [(p.problem, p.complete, p.area) for p in table.pairs] == [
        ("putnam_1962_a1", False, "1962"), ("putnam_1963_a1", True, "1963")
    ]  # fmt: skip
    (tmp_path / "ids_coq.txt").write_text("putnam_1962_a1\n\nputnam_62\n")
    with pytest.raises(DataError, match=r"line 3: 'putnam_62' is no problem id"):
        read_pairs(f"putnambench:{tmp_path}")


CSV = """\
problem,Lean,Rocq,equivalence,note,statement_lean
swap,and_swap,Init/Logic.v:and_comm,Certified,"by a translation, checked",theorem and_swap
,lone,,,,
"""


def test_a_csv_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("\ufeff" + CSV, encoding="utf-8")
    table = read_pairs(str(tmp_path / "own.csv"))
    assert table.name == "own" and table.provers == ("coq", "lean4")
    pair = table.find("coq", "Init/Logic.v:and_comm")
    assert pair is not None and pair.equivalence is Equivalence.CERTIFIED
    assert pair.note == "by a translation, checked" and pair.statements == {"lean4": "theorem and_swap"}
    lone = table.find("lean4", "LONE")
    assert lone is not None and lone.problem == "lone" and not lone.complete


def test_tabs_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text("problem\tlean4\tcoq\nx\ta, b\tc\n")
    assert read_pairs(str(tmp_path / "own.tsv")).pairs[0].ids == {"lean4": "a, b", "coq": "c"}


WRONG_CSV = """\
problem,lean,rocq,equivalence
x,y,z,maybe
,,,
q,,,
a,b,c,audited,extra
"two
lines",k,k,
w,k,,
a,f,g,
a,h,i,
"""


def test_every_mistake_of_a_csv_is_given_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(WRONG_CSV)
    with pytest.raises(DataError) as caught:
        read_pairs(f"csv:{tmp_path / 'own.csv'}")
    said = str(caught.value)
    assert "line 2: equivalence 'maybe' is none of certified, audited, differs, unknown" in said
    assert "line 4: no theorem id under any of lean, rocq" in said
    assert "line 5: 5 cells under 4 columns" in said
    assert "line 8: lean4 theorem k stands in line 7 already" in said
    assert "line 10: problem a stands in line 9 already" in said
    assert "(its columns of theorem ids: lean, rocq)" in said  # any column that is not known is taken for one
    assert "line 3" not in said  # blank lines are no mistake


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing"),
        ("problem,lean\nx,y\n", "at least two provers"),
        ("lean,lean4\nx,y\n", "mean the same prover"),
        ("coq,coq\nx,y\n", "two columns"),
        ("lean,coq\n", "holds no pair"),
        ('lean,coq\n"x,y\n', "line"),
    ],
)
def test_a_csv_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_pairs(str(tmp_path / "own.csv"))


def test_a_csv_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(b"lean,coq\n\xff,y\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_pairs(str(tmp_path / "own.csv"))


@pytest.mark.parametrize("reference", ["metamath:x", "minif2f", "minif2f:", "nothing"])
def test_what_is_no_table(reference: str) -> None:
    with pytest.raises((DataError, UnknownNameError), match="minif2f"):
        read_pairs(reference)


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    for reference in (f"minif2f:{tmp_path}/none", f"putnambench:{tmp_path}/none", f"{tmp_path}/none.csv"):
        with pytest.raises(DataError, match="There is no"):
            read_pairs(reference)


def test_prover_names() -> None:
    assert [prover_name(n) for n in ("Rocq", " lean ", "coq", "Isabelle")] == [
        "coq",
        "lean4",
        "coq",
        "isabelle",
    ]


_NAME = (
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1).map(str.strip).filter(bool)
)


@given(
    st.lists(
        st.tuples(_NAME, _NAME, st.sampled_from(Equivalence), _NAME),
        unique_by=(lambda t: t[0], lambda t: t[1]),
    )
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    pairs = [
        Pair(name, {"coq": id, "lean4": f"l {id}"}, Equivalence(flag), note) for name, id, flag, note in rows
    ]
    file = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    if not pairs:
        return
    file.write_text(pairs_csv(PairingTable("made", pairs)), newline="")
    assert read_pairs(str(file)).pairs == tuple(pairs)


def test_the_command_lists_counts_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text(CSV, encoding="utf-8")
    assert main(["data", "pairs", "own.csv"]) == 0
    out = capsys.readouterr().out
    assert (
        "Init/Logic.v:and_comm" in out and "own: 2 problems, 1 in more than one prover (1 certified)" in out
    )
    assert main(["data", "pairs", "own.csv", "--only", "certified", "--out", "new.csv"]) == 0
    assert [pair.problem for pair in read_pairs("new.csv").pairs] == ["swap"]
    capsys.readouterr()
    assert main(["data", "pairs", "own.csv", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["counts"] == {"certified": 1, "audited": 0, "differs": 0, "unknown": 0}
    assert data["pairs"][1]["ids"] == {"lean4": "lone"}
    assert main(["data", "pairs", "none.csv"]) == 2
    assert "There is no none.csv" in capsys.readouterr().err
