"""Recordings: what they play is what was recorded, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.replay import RecordingEnvironment, ReplayEnvironment, ReplayOptions
from prover_core.contracts import ProofEnvironment
from prover_core.errors import ConfigError, DataError, MachineryError, TheoremUnavailableError
from prover_core.types import Advanced, Limits, Proof, Rejected, Solved, VerdictStatus

TRIED = st.lists(
    st.sampled_from(
        [
            "intros",
            "destruct h",
            "split",
            "assumption",
            "oom",
            "crash",
            "give_up",
            "axiom x",
            "qq",
            "cheat",
            "λ",
        ]
    ),
    max_size=8,
)


def play(environment: ProofEnvironment, tactics: list[str]) -> list[object]:
    """Everything that can be seen of a walk through a proof."""
    seen: list[object] = []
    theorem = environment.theorem("a /\\ b -> b /\\ a", name="swap")
    with environment.open(theorem, Limits()) as session:
        state = session.root
        for tactic in tactics:
            outcome = session.try_tactics(state, [tactic], 1.0)[0]
            if isinstance(outcome, Advanced | Solved):
                state = outcome.state
                seen += [type(outcome), state.goals, state.depth, session.script(state)]
            else:
                seen.append(replace(outcome, seconds=0.0))
        seen.append(session.premises(state))
        seen.append(environment.verify(theorem, Proof(session.script(state)), Limits()))
        seen.append(environment.render(theorem, Proof(session.script(state))))
    return seen


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tactics=TRIED)
def test_plays_what_was_recorded(tactics: list[str], tmp_path: Path) -> None:
    path = tmp_path / f"{abs(hash(tuple(tactics)))}.jsonl"
    with RecordingEnvironment(FakeEnvironment(), path) as environment:
        recorded = play(environment, tactics)
    with ReplayEnvironment(ReplayOptions(file=path)) as environment:
        assert play(environment, tactics) == recorded
        assert environment.toolchain().version == FakeEnvironment().toolchain().version
        assert environment.capabilities == FakeEnvironment().capabilities
        assert environment.prover == "fake"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.jsonl"
    with RecordingEnvironment(FakeEnvironment(), path) as environment:
        play(environment, ["intros", "destruct h"])
    return path


def test_what_was_not_recorded_is_no_rejection(recording: Path) -> None:
    with ReplayEnvironment(ReplayOptions(file=recording)) as environment:
        theorem = environment.theorem("a /\\ b -> b /\\ a", name="swap")
        with environment.open(theorem, Limits()) as session:
            with pytest.raises(MachineryError, match="'left'"):
                session.step(session.root, "left", 1.0)
            assert isinstance(session.step(session.root, "intros", 1.0), Advanced)
        verdict = environment.verify(theorem, Proof(("left",)), Limits())
        assert verdict.status is VerdictStatus.MACHINERY_FAILED
        assert "recording" in verdict.log
        other = FakeEnvironment().theorem("a -> a", name="other")
        with pytest.raises(MachineryError, match="other"):
            environment.open(other, Limits())
        with pytest.raises(DataError):
            environment.theorem("a -> a", name="other")


def test_theorems_that_could_not_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    bad = FakeEnvironment().theorem("a -> a", name="bad", preamble="nonsense here.")
    with (
        RecordingEnvironment(FakeEnvironment(), path) as environment,
        pytest.raises(TheoremUnavailableError) as recorded,
    ):
        environment.open(bad, Limits())
    with (
        ReplayEnvironment(ReplayOptions(file=path)) as environment,
        pytest.raises(TheoremUnavailableError) as replayed,
    ):
        environment.open(bad, Limits())
    assert str(replayed.value) == str(recorded.value)


def test_several_runs_in_one_file(recording: Path) -> None:
    with RecordingEnvironment(FakeEnvironment(), recording) as environment:
        theorem = environment.theorem("a /\\ b -> b /\\ a", name="swap")
        with environment.open(theorem, Limits()) as session:
            assert isinstance(session.step(session.root, "left", 1.0), Rejected)
    with ReplayEnvironment(ReplayOptions(file=recording)) as environment:
        play(environment, ["intros", "destruct h"])
        with environment.open(theorem, Limits()) as session:
            assert isinstance(session.step(session.root, "left", 1.0), Rejected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("{}\n", "no recording"),
        ('{"format": "prover-recording", "version": 99}\n', "no recording"),
        ("not json\n", "line 1"),
        ('["a", "list"]\n', "line 1"),
    ],
)
def test_files_that_are_no_recordings(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        ReplayEnvironment(ReplayOptions(file=path))


def test_torn_and_incomplete_lines_are_named(recording: Path) -> None:
    lines = recording.read_text(encoding="utf-8").splitlines()
    recording.write_text("\n".join([*lines[:3], lines[3][:20]]), encoding="utf-8")
    with pytest.raises(DataError, match="line 4"):
        ReplayEnvironment(ReplayOptions(file=recording))
    recording.write_text("\n".join([lines[0], json.dumps({"kind": "step"})]), encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        ReplayEnvironment(ReplayOptions(file=recording))


def test_a_recording_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"env\.file"):
        ReplayEnvironment()
    with pytest.raises(DataError, match="cannot be read"):
        ReplayEnvironment(ReplayOptions(file=tmp_path / "none.jsonl"))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        RecordingEnvironment(FakeEnvironment(), tmp_path / "file" / "recording.jsonl")
