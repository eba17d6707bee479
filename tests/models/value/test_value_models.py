"""Value models on hashed features: features, fitting, files, mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from contracts.examples import FakeExamples
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_core.builtin.fake import FakeEnvironment
from prover_core.cli.main import main
from prover_core.contracts import ProofEnvironment, Value
from prover_core.errors import ConfigError, DataError
from prover_core.testing import ValueContract
from prover_core.types import Goal, Goals, Hypothesis
from prover_models.value.data import TheoremStates, split_by_theorem
from prover_models.value.features import NUMBERS, SPACE, parse_goals, state_features
from prover_models.value.fit import FitSettings, fit, ranking
from prover_models.value.model import KINDS, Kind, Model, load_model, save_model
from prover_models.value.values import EnergyValue, EnergyValueOptions, StepsValue, StepsValueOptions


def made(count: int, begin: int = 0, noise: bool = False) -> list[TheoremStates]:
    """Theorems with states that speak of ``good`` on the path; large ones are far from the end."""
    found = []
    for n in range(begin, begin + count):
        words = [f"c{(n * 7 + i) % 11}" for i in range(3)]
        good = {f"h : {words[0]}\n⊢ good {' '.join(words[:left])}": left for left in (1, 2, 3)}
        bad = tuple(f"h : {words[1]}\n⊢ bad {' '.join(words * size)}" for size in (2, 3, 4, 5))
        if noise:
            good, bad = {state: 1 for state in bad[:2]}, (*bad[2:], *good)
        found.append(TheoremStates(f"t{n}", f"Theorem t{n} : {' '.join(words)}.", good, bad))
    return found


def model_of(kind: Kind) -> Model:
    return fit(kind, made(20))


class TestEnergyContract(ValueContract):
    example = FakeExamples.provable

    def make_value(self) -> Value:
        return EnergyValue(model=model_of("ebm"))

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


class TestStepsContract(ValueContract):
    example = FakeExamples.provable

    def make_value(self) -> Value:
        return StepsValue(model=model_of("steps-remaining"))

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_there_is_to_learn(kind: Kind) -> None:
    found = ranking(model_of(kind), made(10, begin=100))
    assert found.auc is not None
    assert found.auc > 0.95
    assert found.auc_within is not None
    assert found.auc_within > 0.95
    assert (found.theorems, found.positive, found.negative) == (10, 30, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_and_nothing_from_the_opposite(kind: Kind) -> None:
    """Held out under other labels, the same model is worse than chance: the measure can fail."""
    found = ranking(model_of(kind), made(10, begin=100, noise=True))
    assert found.auc_within is not None
    assert found.auc_within < 0.5


def test_steps_remaining_counts_steps() -> None:
    model = model_of("steps-remaining")
    theorem = made(1, begin=200)[0]
    values = [model.value(state, theorem.statement) for state in theorem.positive]
    assert values == sorted(values, reverse=True), "fewer tactics left, higher value"
    assert model.value(next(iter(theorem.positive)), theorem.statement, per_step=3.0) == pytest.approx(
        3 * values[0]
    )


def test_the_energy_depends_on_what_is_to_be_proved() -> None:
    """Which of two states is right depends on the statement alone: only the low-rank part can tell."""
    theorems = []
    for n in range(40):
        mark, other = ("alpha", "beta") if n % 2 else ("beta", "alpha")
        theorems.append(
            TheoremStates(f"t{n}", f"Theorem t{n} : {mark} x{n}.", {f"⊢ {mark}1 y": 1}, (f"⊢ {other}1 y",))
        )
    bilinear = ranking(fit("ebm", theorems, FitSettings(rank=4, penalty=0.001)), theorems)
    linear = ranking(fit("ebm", theorems, FitSettings(rank=0, penalty=0.001)), theorems)
    assert bilinear.auc_within == 1.0
    assert linear.auc_within is not None
    assert linear.auc_within <= 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_is_deterministic_and_files_give_the_same_model(kind: Kind, tmp_path: Path) -> None:
    model, again = model_of(kind), model_of(kind)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m", kind)
    for theorem in made(5, begin=50):
        for state in [*theorem.positive, *theorem.negative]:
            value = model.value(state, theorem.statement)
            assert value == again.value(state, theorem.statement) == loaded.value(state, theorem.statement)
            assert value <= 0


def test_states_unlike_any_seen_have_a_value() -> None:
    for kind in KINDS:
        model = model_of(kind)
        for text in ("no goals", "", "⊢ ", "⊢ éß ∀", "x" * 50_000, "⊢ " + "a " * 20_000):
            assert np.isfinite(model.value(text, "Theorem other : z."))


_WORDS = st.text(st.sampled_from("abx →∀().:=/\\ "), min_size=1, max_size=12).map(lambda t: t.strip() or "a")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.lists(_WORDS, max_size=3), _WORDS), min_size=1, max_size=3))
def test_text_of_goals_is_read_back(goals: list[tuple[list[str], str]]) -> None:
    built = tuple(
        Goal(tuple(Hypothesis((f"h{n}",), kind) for n, kind in enumerate(kinds)), conclusion)
        for kinds, conclusion in goals
    )
    text = str(Goals(built))
    assert [g.conclusion for g in parse_goals(text)] == [g.conclusion for g in built]
    assert [[h.type for h in g.hypotheses] for g in parse_goals(text)] == [
        [h.type for h in g.hypotheses] for g in built
    ]
    features = state_features(text, "Theorem t : a.")
    assert len(features.numbers) == len(NUMBERS)
    assert all(0 <= feature < SPACE for feature in features.hashed)


def test_split_is_by_theorem() -> None:
    theorems = made(400)
    learnt, unseen = split_by_theorem(theorems, 0.25, seed=1)
    assert 0.15 < len(unseen) / 400 < 0.35
    assert not {t.statement.split(":")[1] for t in learnt} & {t.statement.split(":")[1] for t in unseen}
    assert split_by_theorem(theorems, 0.25, seed=1) == (learnt, unseen)


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="of 1 theorems none has states both"):
        fit("ebm", [TheoremStates("t", "Theorem t : a.", {"⊢ a": 1})])


# --- mistakes are said before any prover starts -------------------------------------------------------


def check(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["run", "--env", "fake", "--model", "scripted", "--data", "fake", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_missing_folder_is_one_clear_error(
    kind: Kind, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unnamed = check(["--value", kind], capsys)
    assert "--set value.path=FOLDER" in unnamed
    missing = check(["--value", kind, "--set", "value.path=nowhere"], capsys)
    assert "there is no value model in nowhere" in missing
    assert f"prover data fit-value RUN... --kind {kind} --out nowhere" in missing
    assert not (tmp_path / "runs").exists()


def test_wrong_kind_version_or_damage_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    save_model(model_of("ebm"), folder)
    with pytest.raises(DataError, match="of kind 'ebm', not 'steps-remaining'"):
        StepsValue(StepsValueOptions(path=folder))
    card = json.loads((folder / "value.json").read_text())
    (folder / "value.json").write_text(json.dumps(card | {"features": "0"}))
    with pytest.raises(DataError, match="another version"):
        EnergyValue(EnergyValueOptions(path=folder))
    (folder / "value.json").write_text(json.dumps(card))
    (folder / "weights.npz").write_bytes((folder / "weights.npz").read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read"):
        EnergyValue(EnergyValueOptions(path=folder))
    with pytest.raises(ConfigError, match="needs a fitted model"):
        EnergyValue()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "ebmm"], "--kind is 'ebmm'; one of ebm, steps-remaining"),
        (["--held-out", "1"], "--held-out must be"),
        (["--penalty", "0"], "--penalty must be"),
    ],
)
def test_mistakes_of_the_command(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "fit-value", str(tmp_path), "--out", str(tmp_path / "m"), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_run_without_proofs_cannot_be_learnt_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = f"run --env fake --model scripted --data fake --budget 20t --json --out {run}".split()
    assert main([*words, "--set", "policy.tactics=[idtac]"]) == 0
    assert main(["data", "fit-value", str(run), "--out", str(tmp_path / "m")]) == 1
    assert "no tactic of a verified proof" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_values_bring_no_torch(tmp_path: Path) -> None:
    save_model(model_of("ebm"), tmp_path / "m")
    code = (
        "import sys; from prover_core.cli.main import main; "
        "code = main('run --env fake --model tactics --data fake --budget 50t --limit 1 --json --value ebm "
        f"--set value.path={tmp_path}/m --out {tmp_path}/run'.split()); "
        "assert not {'torch', 'transformers', 'openai'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
