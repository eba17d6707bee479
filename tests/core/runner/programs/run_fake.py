"""A run on the fake prover in a process of its own: what the tests of kills and signals kill.

usage: run_fake.py RUN_DIR [key=value ...]     (workers, latency_ms, copies, grace_s, delay_ms, tries, hang)

Prints ``ready`` when the first theorem is begun, then whatever the plain display says, at the end
``summary {...}``, and exits as a command would: 128 + signal after a signal, 2 after a UserError.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from prover_core.builtin.fake import FakeEnvironment, FakeOptions, FakeSource, FakeSourceOptions
from prover_core.builtin.scripted import ScriptedOptions, ScriptedPolicy
from prover_core.contracts.events import RunObserver, TheoremStarted
from prover_core.display import make_display
from prover_core.errors import UserError
from prover_core.runner import Runner, RunSettings, stop_on_signals
from prover_core.search import BestFirstSearch
from prover_core.store import RunStore, collect_provenance
from prover_core.types import Budget


class Ready(RunObserver):
    said = False

    def on_event(self, event: object) -> None:
        if isinstance(event, TheoremStarted) and not self.said:
            self.said = True
            print("ready", flush=True)


class Hanging(ScriptedPolicy):
    """A model that never answers."""

    def suggest(self, requests, k):
        threading.Event().wait()


def main() -> int:
    path = Path(sys.argv[1])
    given = {key: value for key, _, value in (word.partition("=") for word in sys.argv[2:])}
    number = lambda key, default: type(default)(given.get(key, default))  # noqa: E731
    theorems = list(FakeSource(FakeSourceOptions(copies=number("copies", 1))).theorems())
    environment = FakeEnvironment(FakeOptions(latency_ms=number("latency_ms", 0.0)))
    kind = Hanging if "hang" in given else ScriptedPolicy
    policy = kind(ScriptedOptions(delay_ms=number("delay_ms", 0.0)))
    policy.bind(environment)
    try:
        if (path / "provenance.json").exists():
            store = RunStore.resume(path)
        else:
            store = RunStore.create(path, {}, collect_provenance(theorems=theorems))
        for repair in store.repairs:
            print("repair:", repair, flush=True)
        with store, make_display("plain") as display:
            settings = RunSettings(
                workers=number("workers", 2),
                budget=Budget(tries=number("tries", 120)),
                grace_s=number("grace_s", 10.0),
            )
            runner = Runner(
                environment=environment,
                policy=policy,
                search=BestFirstSearch(),
                theorems=theorems,
                settings=settings,
                store=store,
                observers=[Ready(), display],
            )
            with stop_on_signals(runner) as signals:
                summary = runner.run()
            print("summary", summary.model_dump_json(), flush=True)
            for problem in runner.problems:
                print("problem:", problem, flush=True)
            return signals.exit_code or 0
    except UserError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
