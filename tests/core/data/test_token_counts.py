"""Lengths in tokens: estimated, or in a model's own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from prover_core.data.filters import Drops, EstimatedTokens, LengthOptions, ModelTokens, make_counter
from prover_core.errors import DataError, ToolMissingError

HAS_TRANSFORMERS = importlib.util.find_spec("transformers") is not None


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abc", 1), ("abcd", 2), ("∀∀", 2)])
def test_an_estimate_is_a_third_of_the_bytes_rounded_up(text: str, tokens: int) -> None:
    assert EstimatedTokens().count(text) == tokens


def test_turns_of_a_conversation_cost_a_little_each() -> None:
    counter = EstimatedTokens()
    assert counter.count_chat([{"content": "abc"}, {"content": "abcd"}]) == 1 + 4 + 2 + 4


def test_no_limit_no_counter() -> None:
    assert make_counter(LengthOptions()) is None
    assert make_counter(LengthOptions(tokenizer="some/model")) is None
    assert isinstance(make_counter(LengthOptions(max_tokens=1, tokenizer="estimate")), EstimatedTokens)


@pytest.mark.skipif(HAS_TRANSFORMERS, reason="transformers is installed")
def test_without_transformers_the_message_says_how_to_get_it() -> None:
    with pytest.raises(ToolMissingError, match=r"polyprover\[models\]' \(or choose tokenizer=estimate\)"):
        make_counter(LengthOptions(max_tokens=1, tokenizer="some/model"))


@pytest.mark.skipif(not HAS_TRANSFORMERS, reason="transformers is not installed")
@pytest.mark.filterwarnings("ignore")
def test_with_the_tokenizer_of_a_model(tmp_path: Path) -> None:
    """A tokenizer of four words, made here: nothing is downloaded."""
    model = {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "simpl": 1, ".": 2, "auto": 3}}
    tokenizer = {
        "version": "1.0",
        "pre_tokenizer": {"type": "Whitespace"},
        "model": model,
        "added_tokens": [],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    counter = ModelTokens(str(tmp_path))
    assert counter.count("simpl. auto.") == 4
    with pytest.raises(DataError, match="there is no tokenizer"):
        ModelTokens(str(tmp_path / "none"))


def test_reasons_are_counted_and_five_ids_kept() -> None:
    drops = Drops()
    for number in range(7):
        drops.add("too long", f"id{number}")
    drops.add("no states", "x")
    drops.add("no states", "x")
    assert [(d.reason, d.count, len(d.examples)) for d in drops.report()] == [
        ("too long", 7, 5),
        ("no states", 2, 1),
    ]
