"""What is left out of training data, counted by reason; and the length of texts in tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from prover_core.contracts.extraction import Drop
from prover_core.contracts.options import ComponentOptions
from prover_core.errors import ConfigError, DataError, ToolMissingError

__all__ = ["Drops", "EstimatedTokens", "LengthOptions", "ModelTokens", "TokenCounter", "make_counter"]

ESTIMATE = "estimate"
BYTES_PER_TOKEN = 3
_EXAMPLES = 5
_TURN_TOKENS = 4
_LIBRARY = "transformers"


class LengthOptions(ComponentOptions):
    """Options of every format that a model is trained on."""

    max_tokens: int = Field(default=0, ge=0, description="leave out rows of more tokens than this; 0: none")
    tokenizer: str = Field(
        default="",
        description="whose tokens: id or folder of a model of transformers; or 'estimate', one token for "
        "three bytes of UTF-8, which is near for mathematics in ASCII and high for Unicode symbols",
    )


class Drops:
    """Rows left out, by reason, with a few of their ids."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, reason: str, id: str) -> None:
        """Count one row."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES and id not in examples:
            examples.append(id)

    def report(self) -> tuple[Drop, ...]:
        """All reasons, the most frequent first."""
        reasons = sorted(self._counts, key=lambda reason: (-self._counts[reason], reason))
        return tuple(Drop(r, self._counts[r], tuple(self._examples[r])) for r in reasons)


class TokenCounter(ABC):
    """Measures texts in tokens."""

    @abstractmethod
    def count(self, text: str) -> int:
        """Tokens of a text."""

    def count_chat(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of a conversation, with what marks its turns."""
        return sum(self.count(str(m["content"])) + _TURN_TOKENS for m in messages)


class EstimatedTokens(TokenCounter):
    """One token for every three bytes of UTF-8, rounded up. No model agrees with it exactly."""

    def count(self, text: str) -> int:
        return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


class ModelTokens(TokenCounter):
    """Counts with the tokenizer of a model (library ``transformers``), its chat template included."""

    def __init__(self, name: str) -> None:
        """Load the tokenizer of ``name``, an id or a folder.

        :raises ToolMissingError: transformers is not installed.
        :raises DataError: there is no such tokenizer.
        """
        try:
            from transformers import AutoTokenizer  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            raise ToolMissingError(
                _LIBRARY,
                needed_for=f"counting the tokens of {name}",
                install="pip install 'polyprover[models]' (or choose tokenizer=estimate)",
            ) from None
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError) as error:
            msg = f"there is no tokenizer {name!r}: {str(error).splitlines()[0]}"
            raise DataError(msg) from error
        self._has_template = bool(getattr(self._tokenizer, "chat_template", None))

    def count(self, text: str) -> int:
        return len(self._tokenizer(text)["input_ids"])

    def count_chat(self, messages: Sequence[Mapping[str, Any]]) -> int:
        if not self._has_template:
            return super().count_chat(messages)
        text = self._tokenizer.apply_chat_template(list(messages), tokenize=False)
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def make_counter(options: LengthOptions) -> TokenCounter | None:
    """The counter that the options ask for; ``None``: no limit.

    :raises ConfigError: there is a limit, and nobody said in whose tokens.
    """
    if not options.max_tokens:
        return None
    if not options.tokenizer:
        mistake = (
            "max_tokens needs a tokenizer: give --set tokenizer=MODEL (an id or a folder; needs "
            "transformers), or --set tokenizer=estimate"
        )
        raise ConfigError([mistake])
    return EstimatedTokens() if options.tokenizer == ESTIMATE else ModelTokens(options.tokenizer)
