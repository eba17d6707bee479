"""What is trained: base, tokenizer, adapter, template, put together and checked before the first step."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from prover_core.errors import ConfigError, ToolMissingError
from prover_models.lm.adapter import ADAPTER_FILE, AdapterInfo, check_adapter, describe_base, save_adapter
from prover_models.lm.adapter import vocabulary_hash as hash_of
from prover_models.lm.encoding import Encoder
from prover_models.lm.loading import (
    Source,
    find_source,
    load_base,
    load_tokenizer,
    pick_device,
    read_config,
    use_quietly,
)
from prover_models.lm.options import WeightsOptions
from prover_models.lm.templates import Template, load_template
from prover_models.lm.tokenizer import (
    PROVER_TOKENS,
    Pieces,
    embedding_names,
    extend_model,
    extend_tokenizer,
)
from prover_models.train import distributed, monitor
from prover_models.train.config import TrainConfig

__all__ = ["Foundation", "Learner", "check_packages", "lay_foundation", "load_learner"]

_INSTALL: Final = "pip install 'polyprover[models]'"
_ATTENTION: Final = re.compile(r"(^|\.)(attn|self_attn|attention|self_attention)\.")


@dataclass(frozen=True, slots=True)
class Foundation:
    """All that can be known without weights."""

    config: TrainConfig
    source: Source
    model_config: Any
    tokenizer: Any
    """Extended, where that is asked for."""
    pieces: Pieces
    template: Template
    encoder: Encoder


@dataclass(frozen=True, slots=True)
class Learner:
    """A model ready to be trained, and how it is saved."""

    foundation: Foundation
    model: Any
    base_shape: dict[str, int | str]

    def save(self, folder: Path, model: Any = None, state: Any = None) -> None:
        """Write what ``prover run`` takes: an adapter, or with method ``full`` whole weights.

        :param model: the model, where it has been wrapped since.
        :param state: its state, where it had to be gathered from several devices.
        """
        model = model if model is not None else self.model
        f = self.foundation
        told: dict[str, Any] = {
            "base": f.source.base,
            "base_shape": self.base_shape,
            "template": f.template,
            "max_prompt_tokens": f.config.prompt.max_prompt_tokens,
        }
        if f.config.model.method == "lora" and state is None:
            save_adapter(model, f.tokenizer, folder, **told)
            return
        folder.mkdir(parents=True, exist_ok=True)
        given = {"save_embedding_layers": False} if f.config.model.method == "lora" else {}
        model.save_pretrained(folder, state_dict=state, **given)
        f.tokenizer.save_pretrained(folder)
        size, digest = len(f.tokenizer), hash_of(f.tokenizer)
        info = AdapterInfo(vocabulary=size, vocabulary_hash=digest, **told)
        (folder / ADAPTER_FILE).write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")


def check_packages(config: TrainConfig) -> None:
    """Whether what is needed is installed; nothing is imported.

    :raises ToolMissingError: something is not.
    """
    wanted = ["torch", "transformers", "accelerate", "peft", "jinja2"]
    wanted += ["bitsandbytes"] if config.model.quantize == "4bit" else []
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissingError(", ".join(missing), needed_for="training language models", install=_INSTALL)
    monitor.check(config)


def lay_foundation(config: TrainConfig) -> Foundation:
    """Tokenizer, template, sizes: everything is checked that needs no weights.

    :raises ConfigError: what does not go together.
    :raises DataError: files that cannot be had.
    :raises ToolMissingError: a package is missing.
    """
    check_packages(config)
    distributed.begin(config)
    use_quietly()
    source = find_source(_weights(config))
    model_config = read_config(source)
    tokenizer = load_tokenizer(source)
    if source.adapter is not None and source.info is not None:
        check_adapter(source.adapter, source.info, source.base, model_config, tokenizer)
    template = _template(config, source)
    pieces: Pieces = {}
    if config.tokenizer.extend and source.adapter is None:
        texts = [*PROVER_TOKENS, *template.markers, *config.tokenizer.texts]
        pieces = extend_tokenizer(tokenizer, texts)
    _check_sizes(config, source, model_config)
    encoder = Encoder(template, tokenizer, config.prompt.max_prompt_tokens)
    return Foundation(config, source, model_config, tokenizer, pieces, template, encoder)


def load_learner(foundation: Foundation) -> Learner:
    """Load the weights and put the adapter on.

    :raises ConfigError: base and adapter do not go together.
    :raises DataError: weights that cannot be had.
    """
    config = foundation.config
    model = _scratch(foundation) if config.model.scratch else load_base(foundation.source)
    shape = describe_base(model.config)
    model.config.use_cache = False
    if config.model.dropout is not None:
        _set_dropout(model, config.model.dropout)
    if foundation.source.adapter is not None:
        model = _continued(model, foundation)
    else:
        if foundation.pieces:
            extend_model(model, foundation.tokenizer, foundation.pieces)
        if config.model.method == "lora":
            model = _with_lora(model, foundation)
    return Learner(foundation, model, shape)


def _weights(config: TrainConfig) -> WeightsOptions:
    m = config.model
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = m.dtype
    if dtype == "auto":
        on_gpu = m.quantize == "4bit" and pick_device(m.device).startswith("cuda")
        dtype = "bfloat16" if on_gpu else "float32"
    return WeightsOptions(
        base=m.base,
        default_base=m.default_base,
        revision=m.revision,
        adapter=m.adapter,
        quantize=m.quantize,
        dtype=dtype,
        device=m.device,
        attention=m.attention,
    )


def _template(config: TrainConfig, source: Source) -> Template:
    """The template that is asked for; of an adapter that is gone on from, its own."""
    before = source.info.template if source.info is not None else None
    asked = config.prompt.template
    if asked is None:
        return before if before is not None else load_template("goal-proofstep")
    template = load_template(asked)
    if source.adapter is not None and before is not None and before.digest != template.digest:
        mistake = (
            f"adapter {source.adapter} was trained with prompt template {before.name!r}, and prompt.template "
            f"is {asked!r}, which asks in other words; leave prompt.template out"
        )
        raise ConfigError([mistake])
    return template


def _check_sizes(config: TrainConfig, source: Source, model_config: Any) -> None:
    most = getattr(model_config, "max_position_embeddings", None)
    if most is not None and config.prompt.max_tokens > most:
        mistake = f"prompt.max_tokens is {config.prompt.max_tokens}, and {source.base} takes {most} tokens"
        raise ConfigError([f"{mistake}; lower it, and prompt.max_prompt_tokens with it"])


def _scratch(foundation: Foundation) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    options = foundation.source.options
    given = {} if options.attention == "auto" else {"attn_implementation": options.attention}
    model = AutoModelForCausalLM.from_config(foundation.model_config, **given)
    return model.to(torch.device(pick_device(options.device)))


def _set_dropout(model: Any, share: float) -> None:
    """Of the base's own layers; an adapter's is put on later."""
    for module in model.modules():
        if type(module).__name__ == "Dropout":
            module.p = share
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = share


def _continued(model: Any, foundation: Foundation) -> Any:
    """The base with the adapter that is gone on from."""
    from peft import PeftConfig, PeftModel

    size = model.get_input_embeddings().weight.shape[0]
    if len(foundation.tokenizer) > size:
        model.resize_token_embeddings(len(foundation.tokenizer), mean_resizing=False)
    embeddings = embedding_names(model)
    model = _for_quantised(model, foundation.config)
    adapter = foundation.source.adapter
    try:
        saved = PeftConfig.from_pretrained(str(adapter))
        if getattr(saved, "ensure_weight_tying", False):
            # peft saves the input's name alone, does not know it for GPT-2's, and would then train the input
            # beside an output that stays as it is and is not saved
            whole = [*(getattr(saved, "modules_to_save", None) or ()), *embeddings]
            saved.modules_to_save = list(dict.fromkeys(whole))
        return PeftModel.from_pretrained(model, str(adapter), config=saved, is_trainable=True)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError([f"adapter {adapter} cannot be put on its base: {first}"]) from error


def _for_quantised(model: Any, config: TrainConfig) -> Any:
    if config.model.quantize == "none":
        return model
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


def _with_lora(model: Any, foundation: Foundation) -> Any:
    from peft import LoraConfig, get_peft_model

    lora = foundation.config.lora
    targets = _targets(model, lora.targets)
    whole = list(
        dict.fromkeys([*(embedding_names(model) if foundation.pieces else ()), *lora.modules_to_save])
    )
    model = _for_quantised(model, foundation.config)
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha if lora.alpha is not None else 2 * lora.rank,
        lora_dropout=lora.dropout,
        target_modules=targets,
        modules_to_save=whole or None,
        ensure_weight_tying=bool(foundation.pieces) and bool(model.config.tie_word_embeddings),
        fan_in_fan_out=_transposed(model, targets),
        task_type="CAUSAL_LM",
    )
    try:
        model = get_peft_model(model, settings)
    except ValueError as error:
        names = sorted({name.rpartition(".")[2] for name, m in model.named_modules() if _is_linear(m)})
        first = str(error).strip().splitlines()[0]
        mistake = (
            f"lora.targets {lora.targets!r} do not fit the model: {first}; its layers: {', '.join(names)}"
        )
        raise ConfigError([mistake]) from error
    model.peft_config["default"].base_model_name_or_path = foundation.source.base
    return model


def _targets(model: Any, asked: str | tuple[str, ...]) -> str | list[str]:
    """What peft takes for ``lora.targets``."""
    if not isinstance(asked, str):
        return list(asked)
    if asked == "linear":
        return "all-linear"
    paths = [name for name, module in model.named_modules() if _is_linear(module) and _ATTENTION.search(name)]
    leaves = sorted({_ATTENTION.split(path)[-1] for path in paths})
    if not leaves:
        raise ConfigError(
            ["lora.targets: no layer of this model is called attention; name them, or use linear"]
        )
    return rf".*\.(attn|self_attn|attention|self_attention)\.({'|'.join(map(re.escape, leaves))})"


def _is_linear(module: Any) -> bool:
    return hasattr(module, "in_features") or type(module).__name__ == "Conv1D"


def _transposed(model: Any, targets: str | list[str]) -> bool:
    """The layers that get an adapter hold their matrices the other way round (GPT-2's)."""
    del targets
    return any(type(module).__name__ == "Conv1D" for module in model.modules())
