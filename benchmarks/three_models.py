"""``tactics``, ``knn`` and a tiny trained model on theorems of Coq's library and on miniF2F, compared pairwise.

    prover extract coq --stdlib --out DATASET
    python benchmarks/three_models.py DATASET --out DIR                    all of it
    python benchmarks/three_models.py DATASET --out DIR --only train       one stage

Each stage is a ``prover`` command, shown before it runs; one that was broken off is gone on with.

- ``split``: the library by file, 80 : 5 : 15. ``knn`` and the model learn from the training part alone; proofs
  of statements that occur in the other parts are left out of it. The files of the test part are attempted
  (a random sample of the theorems that the library proves with ``Qed``) without ``knn``'s learning from
  the part of the file that comes before a theorem.
- ``train``: a GPT-2 with random weights and a tokenizer of the training part's text, all weights trained.
- ``eval`` and ``compare``: the same theorems, numbers of tactics and searches for all three.

miniF2F needs ``--minif2f FILE`` (a ``.jsonl`` file of it, or its folder); 25 problems of its validation half
need Coquelicot.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from models.lm.tiny import make_base

from prover_core.data.dataset import Dataset
from prover_models.lm.situation import step_lessons
from prover_models.lm.templates import load_template

PROVER = Path(sys.executable).with_name("prover")
STAGES = ("split", "train", "eval", "compare")
MODELS = ("tactics", "knn", "gpt2")
PROMPT, COMPLETION = 112, 48
SHAPE = {"width": 128, "layers": 3, "size": 3000, "positions": 512, "init": 0.02}
LEARNING = {
    "model.method": "full", "model.dropout": 0.0, "tokenizer.extend": "false",
    "prompt.max_prompt_tokens": PROMPT, "prompt.max_tokens": PROMPT + COMPLETION,
    "packing.length": 512, "data.share": 0, "optim.lr": 2e-3, "optim.batch_size": 4,
    "eval.best": "last", "completion.every": "null",
}  # fmt: skip
TRIED = ("--budgets", "16,64", "--seed", "0")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="\n".join(__doc__.splitlines()[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATASET")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=STAGES, action="append", help="default: all stages")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--sets", default="stdlib,minif2f")
    parser.add_argument("--minif2f", type=Path)
    parser.add_argument("--theorems", type=int, default=150, help="of the library")
    parser.add_argument("--steps", type=int, default=2400, help="of training")
    parser.add_argument("--version", help="of Coq: 8.20")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for stage in given.only or STAGES:
        {"split": split, "train": train, "eval": evaluate, "compare": compare}[stage](given)
    return 0


def split(given: argparse.Namespace) -> None:
    """``split.json``, the training part as a dataset, and the names of the theorems that are attempted."""
    told = given.out / "split.json"
    prover(
        "data",
        "split",
        given.data,
        "--by",
        "file",
        "--ratios",
        "0.8,0.05,0.15",
        "--drop-copies",
        "--out",
        told,
    )
    parts = json.loads(told.read_text("utf-8"))
    learnt = set(parts["train"])
    with (
        Dataset.open(given.data) as whole,
        Dataset.create(
            given.out / "training", prover=whole.manifest.prover, toolchain=whole.manifest.toolchain
        ) as training,
    ):
        for source, part in whole.parts.items():
            proofs = [proof for proof in whole.proofs([source]) if proof.id in learnt]
            if proofs:
                training.write_part(source, part.sha256, part.toolchain, proofs)
        print(training.finish().counts)
        tested = set(parts["test"])
        asked = sorted(
            proof.id for proof in whole.proofs() if proof.id in tested and proof.terminator == "Qed"
        )
    sample = sorted(random.Random(0).sample(asked, min(given.theorems, len(asked))))
    (given.out / "stdlib.yaml").write_text(yaml.safe_dump({"only": sample}), "utf-8")
    print(f"{len(sample)} of {len(asked)} theorems of {len(tested)} held out: {dict(_areas(sample))}")


def _areas(ids: Iterable[str]) -> Counter[str]:
    return Counter(id.split("/")[0] for id in ids)


def train(given: argparse.Namespace) -> None:
    """A base of random weights, then all of it trained."""
    base, out = given.out / "base", given.out / "gpt2"
    if not base.exists():
        template = load_template("goal-proofstep")
        with Dataset.open(given.out / "training") as data:
            lessons = (lesson for proof in data.proofs() for lesson in step_lessons(proof))
            texts = [template.render_prompt(lesson.situation) + lesson.answer for lesson in lessons]
        make_base(base, texts=random.Random(0).sample(texts, min(20_000, len(texts))), **SHAPE)
    if (out / "train_config.yaml").exists():
        prover("train", "--out", out, "--resume")
        return
    options = {**LEARNING, "model.base": base, "optim.max_steps": given.steps}
    words = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    prover("train", "--preset", "gpt2-lora", "--data", given.out / "training", "--out", out, *words)


def evaluate(given: argparse.Namespace) -> None:
    """Each model on each set of theorems."""
    for theorems in given.sets.split(","):
        for model in given.models.split(","):
            prover("eval", "--env", "coq", *_words_of(model, given), *_words_of_set(theorems, given), *TRIED,
                   "--name", model, "--workers", given.workers, "--no-trajectories", "--resume",
                   "--out", given.out / f"{theorems}-{model}")  # fmt: skip


def _words_of(model: str, given: argparse.Namespace) -> list[object]:
    version = ["--set", f"env.version={given.version}"] if given.version else []
    if model == "knn":
        data = ["policy.own_file=false", f"policy.data={given.out / 'training'}"]
    elif model == "gpt2":
        model = "gpt2-lora"
        data = [f"policy.base={given.out / 'gpt2'}", f"policy.max_prompt_tokens={PROMPT}",
                f"policy.max_new_tokens={COMPLETION}"]  # fmt: skip
        version += ["--suggestions", "32"]
    else:
        data = []
    return ["--model", model, *version, *(word for told in data for word in ("--set", told))]


def _words_of_set(theorems: str, given: argparse.Namespace) -> list[object]:
    if theorems == "stdlib":
        return ["--data", "coq-stdlib", "--config", given.out / "stdlib.yaml"]
    return ["--data", f"minif2f-rocq:{given.minif2f}", "--set", "data.split=valid"]


def compare(given: argparse.Namespace) -> None:
    """All models pairwise, for each set of theorems."""
    for theorems in given.sets.split(","):
        names = [given.out / f"{theorems}-{model}" for model in given.models.split(",")]
        prover("compare", *names, "--markdown")


def prover(*words: object) -> None:
    """Run a command, shown; stop with its exit code where it fails."""
    line: Sequence[str] = [str(word) for word in words]
    print("prover " + " ".join(line), flush=True)
    done = subprocess.run([str(PROVER), *line], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
