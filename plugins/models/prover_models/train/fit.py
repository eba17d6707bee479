"""One training run, from a checked configuration to the adapter: what ``lm-sft`` does."""

from __future__ import annotations

import functools
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import PrinterCallback, TrainingArguments, set_seed

from prover_core.cli.progress import make_progress
from prover_core.contracts.training import Artifact
from prover_core.errors import ConfigError, DataError
from prover_models.lm.loading import pick_device
from prover_models.train.callbacks import EarlyStop, LogFile, Shown, StopRequested, When
from prover_models.train.checkpoints import Checkpoints
from prover_models.train.collate import Collator
from prover_models.train.completion import CompletionTest
from prover_models.train.config import TrainConfig
from prover_models.train.dataset import TrainingExamples, load_examples
from prover_models.train.hooks import TrainingContext, TrainingParts
from prover_models.train.loop import Rows, SftLoop
from prover_models.train.measures import ExactMatch, ValidationLoss
from prover_models.train.model import Foundation, Learner, lay_foundation, load_learner
from prover_models.train.result import finished_result, put_result, write_summary
from prover_models.train.schedule import Batches, Plan
from prover_models.train.sft import training_parts

__all__ = ["fit"]

_SCHEDULES: Final = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_GREATER: Final = frozenset({"exact_match", "completion"})


@dataclass(frozen=True, slots=True)
class _Steps:
    """Numbers of optimiser steps."""

    total: int
    warmup: int
    evaluate: int
    save: int
    completion: int | None


def fit(config: TrainConfig, out: Path, *, resume: bool, stop: threading.Event) -> Artifact:
    """See :meth:`prover_models.train.sft.LmSft.fit`."""
    with warnings.catch_warnings():
        # what transformers and peft say to each other
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        warnings.filterwarnings("ignore", category=UserWarning, module="peft")
        return _fit(config, out, resume=resume, stop=stop)


def _fit(config: TrainConfig, out: Path, *, resume: bool, stop: threading.Event) -> Artifact:
    began = time.monotonic()
    checkpoints = Checkpoints(out / "checkpoints", config.save.keep)
    last = checkpoints.last() if resume else None
    if resume and (done := finished_result(out)) is not None:
        return done
    set_seed(config.optim.seed)
    foundation = lay_foundation(config)
    parts = training_parts(config)
    with make_progress() as progress:
        examples = load_examples(config, foundation.encoder, progress)
    _check_measured(config, examples)
    completion = _completion(config, foundation, examples, out)
    learner = load_learner(foundation)
    collate = _collator(config, foundation)
    plan = _plan(config, examples)
    context = TrainingContext(
        config=config,
        model=learner.model,
        tokenizer=foundation.tokenizer,
        encoder=foundation.encoder,
        examples=examples.train,
        validation=examples.validation,
        out=out,
        parts=parts,
        collate=functools.partial(_padded, Collator(_pad_id(foundation), packed=False)),
    )
    if parts.order is not None:
        parts.order.prepare(context)
    extra = [p for loss in parts.losses for p in loss.prepare(context)]
    steps = _steps(config, plan, parts)
    args = _arguments(config, checkpoints.folder, steps, parts, fresh=last is None)
    batches = Batches(plan, steps.total * args.gradient_accumulation_steps * args.world_size, parts.order)
    early = EarlyStop(_best_name(config), config.eval.patience, greater=config.eval.best in _GREATER)
    with make_progress() as progress:
        loop = SftLoop(
            learner,
            args,
            rows=Rows(examples.train),
            batches=batches,
            collate=collate,
            checkpoints=checkpoints,
            losses=parts.losses,
            order=parts.order,
            measures=_measures(config, foundation, examples, plan, completion, steps, collate),
            extra_parameters=extra,
            callbacks=[
                LogFile(out / "training_log.jsonl", _step_of(last)),
                Shown(progress),
                When(steps.completion),
                *([early] if config.eval.patience else []),
                *parts.callbacks,
                StopRequested(stop),
            ],
        )
        loop.remove_callback(PrinterCallback)
        _train(loop, last)
    finished = early.stopped or loop.state.global_step >= steps.total
    return _finish(config, out, loop, learner, examples, parts, finished=finished, began=began)


def _train(loop: SftLoop, last: Path | None) -> None:
    """Run transformers' loop, from a checkpoint or from the beginning."""
    try:
        if last is not None:
            loop.load_extra(last)
        loop.train(resume_from_checkpoint=str(last) if last is not None else None)
    except torch.OutOfMemoryError as error:
        kept = loop.checkpoints.last()
        message = (
            f"memory ran out at step {loop.state.global_step + 1}; the last good checkpoint is {kept}.\n"
            "A smaller optim.batch_size with more optim.accumulation computes the same; "
            "optim.checkpointing=true takes less memory and more time"
        )
        raise DataError(message) from error


def _finish(
    config: TrainConfig,
    out: Path,
    loop: SftLoop,
    learner: Learner,
    examples: TrainingExamples,
    parts: TrainingParts,
    *,
    finished: bool,
    began: float,
) -> Artifact:
    """Put the best checkpoint's adapter into ``out``, with the summary."""
    best = loop.state.best_global_step or loop.state.global_step
    if config.eval.best == "last" or best not in loop.checkpoints.steps():
        best = loop.checkpoints.steps()[-1]
    metrics: Mapping[str, float] = {}
    if loop.is_world_process_zero():
        if finished:
            loop.load_extra(loop.checkpoints.at(best))
            put_result(loop.checkpoints.at(best), out, parts.losses)
        metrics = write_summary(
            config,
            out,
            loop,
            learner,
            examples,
            best=best,
            finished=finished,
            seconds=time.monotonic() - began,
        )
    loop.accelerator.wait_for_everyone()
    return Artifact(out, metrics, finished)


def _completion(
    config: TrainConfig, foundation: Foundation, examples: TrainingExamples, out: Path
) -> CompletionTest | None:
    if config.completion.every is None:
        return None
    return CompletionTest(
        config,
        foundation.encoder,
        foundation.source.base,
        examples.train,
        examples.validation,
        out / "completion",
    )


def _check_measured(config: TrainConfig, examples: TrainingExamples) -> None:
    """What is to decide must be measured."""
    mistakes = []
    if not len(examples.validation):
        if config.eval.best in ("loss", "exact_match"):
            mistakes.append(
                f"eval.best is {config.eval.best}, and no example is held out for validation; raise "
                "data.share, name data.validation or data.split, or set eval.best=last"
            )
        if config.eval.patience and config.eval.best != "completion":
            mistakes.append("eval.patience needs validation data; hold some out, or set it to 0")
    if mistakes:
        raise ConfigError(mistakes)


def _measures(
    config: TrainConfig,
    foundation: Foundation,
    examples: TrainingExamples,
    plan: Plan,
    completion: CompletionTest | None,
    steps: _Steps,
    collate: Collator,
) -> list[Any]:
    found: list[Any] = []
    if len(examples.validation):
        found.append(ValidationLoss(examples.validation, plan, collate))
        if config.eval.exact_match:
            found.append(ExactMatch(examples.validation, foundation.encoder, config.eval.exact_match))
    if completion is not None and steps.completion is not None:
        found.append(_Proving(completion, steps.completion, before=config.completion.before))
    return found


class _Proving:
    """Runs the prover where it is time for it; the first process does, the others wait."""

    def __init__(self, test: CompletionTest, every: int, *, before: bool) -> None:
        self._test = test
        self._every = every
        self._before = before

    def __call__(self, loop: SftLoop, model: Any) -> Mapping[str, float]:
        step = loop.state.global_step
        due = step % self._every == 0 if step else self._before
        if not due and step < loop.state.max_steps:
            return {}
        found: Mapping[str, float] = {}
        if loop.is_world_process_zero():
            found = self._test.measure(model, step)
        loop.accelerator.wait_for_everyone()
        return found


def _collator(config: TrainConfig, foundation: Foundation) -> Collator:
    return Collator(
        _pad_id(foundation), packed=config.packing.enabled, completion_only=config.loss.completion_only
    )


def _padded(collate: Collator, examples: Sequence[Any]) -> Any:
    return collate([[(index, example)] for index, example in enumerate(examples)])


def _pad_id(foundation: Foundation) -> int:
    tokenizer = foundation.tokenizer
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)


def _plan(config: TrainConfig, examples: TrainingExamples) -> Plan:
    return Plan(
        lengths=examples.train.lengths,
        parts=examples.train.parts,
        weights=tuple(part.weight for part in config.data.train),
        capacity=config.packing.length or config.prompt.max_tokens,
        packed=config.packing.enabled,
        batch_size=config.optim.batch_size,
        batch_tokens=config.optim.batch_tokens,
        seed=config.optim.seed,
    )


def _steps(config: TrainConfig, plan: Plan, parts: TrainingParts) -> _Steps:
    from accelerate import PartialState

    o = config.optim
    processes = PartialState().num_processes
    total = o.max_steps or plan.steps(o.epochs, o.accumulation, processes, parts.order)

    def every(value: float) -> int:
        return max(1, round(value * total)) if value < 1 else round(value)

    evaluate = every(config.eval.every)
    proving = config.completion.every
    return _Steps(
        total=total,
        warmup=round(o.warmup * total) if o.warmup < 1 else round(o.warmup),
        evaluate=evaluate,
        save=every(config.save.every) if config.save.every is not None else evaluate,
        completion=every(proving) if proving is not None else None,
    )


def _arguments(
    config: TrainConfig, folder: Path, steps: _Steps, parts: TrainingParts, *, fresh: bool
) -> TrainingArguments:
    o = config.optim
    device = pick_device(config.model.device)
    on_gpu = device.startswith("cuda")
    precision = ("bf16" if on_gpu else "fp32") if o.precision == "auto" else o.precision
    if precision == "fp16" and not on_gpu:
        raise ConfigError(["optim.precision fp16 needs a GPU; use bf16 or fp32"])
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": steps.total,
        "per_device_train_batch_size": o.batch_size,
        "gradient_accumulation_steps": o.accumulation,
        "gradient_checkpointing": o.checkpointing,
        "learning_rate": o.lr,
        "lr_scheduler_type": _SCHEDULES[o.schedule],
        "warmup_steps": steps.warmup,
        "weight_decay": o.weight_decay,
        "max_grad_norm": o.clip,
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "seed": o.seed,
        "use_cpu": not on_gpu,
        "eval_strategy": "steps",
        "eval_steps": steps.evaluate,
        "eval_on_start": fresh,
        "save_strategy": "steps",
        "save_steps": steps.save,
        "metric_for_best_model": _best_name(config),
        "greater_is_better": config.eval.best in _GREATER,
        "logging_steps": config.monitor.every,
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
        "log_level": "error",
        "remove_unused_columns": False,
        "average_tokens_across_devices": True,
        "dataloader_pin_memory": on_gpu,
        "accelerator_config": {"even_batches": False},
        "ddp_find_unused_parameters": False,
    }
    return TrainingArguments(**{**settings, **parts.arguments})


def _best_name(config: TrainConfig) -> str:
    return "loss" if config.eval.best == "last" else config.eval.best


def _step_of(checkpoint: Path | None) -> int | None:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint is not None else None
