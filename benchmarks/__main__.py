"""`python -m benchmarks`: one run, one table, one JSON file, one page."""

import json
import math
import signal
import sys
import time
from functools import partial
from typing import Any

from benchmarks import guard
from benchmarks.comparison import compare
from benchmarks.machine import say
from benchmarks.measures.answers import DifferentAnswersError
from benchmarks.options import Options, parse
from benchmarks.report import page, table


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 where a ratio is worse than the baseline allows; 2 where answers differ; 3 where photos failed."""
    options, given = parse(arguments)
    baseline = guard.read() if given.guard and not given.update_baseline else None
    began = time.monotonic()
    # so that what was started ends with us
    previous = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        result = compare(options, partial(_write, options))
    except DifferentAnswersError as error:
        say(str(error))
        return 2
    finally:
        signal.signal(signal.SIGTERM, previous)
    result["minutes"] = round((time.monotonic() - began) / 60, 1)
    _write(options, result)
    (options.out / "bench.html").write_text(page.html(result))
    sys.stdout.write(table.text(result) + "\n")
    say(f"{result['minutes']} minutes; {options.out}/bench.html, {options.out}/bench.json")
    if table.failed(result):
        say("photos failed in the rounds: no figure of those systems means anything, and none becomes a baseline")
        return 3
    if given.update_baseline:
        guard.write(result)
        return 0
    return _judge(result, baseline) if baseline is not None else 0


def _write(options: Options, result: dict[str, Any]) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(_without_nan(result), indent=1) + "\n")


def _without_nan(value: Any) -> Any:
    """JSON has neither NaN nor infinity: what could not be measured, or would be the wait of a lost photo, is null there."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _judge(result: dict[str, Any], baseline: dict[str, Any]) -> int:
    if different := guard.differences(result, baseline):
        say(
            f"not comparable with the baseline: {'; '.join(different)}. `make bench-quick BENCH_FLAGS=--update-baseline`"
        )
        return 1
    if not guard.same_machine(result, baseline):
        say(
            f"the baseline is of {baseline['hardware']['processor']}: on this processor ratios may differ by themselves"
        )
    worse = guard.judge(result, baseline)
    for each in worse:
        say(f"worse: {each}")
    say(
        "no ratio is worse than the baseline's by more than the noise"
        if not worse
        else f"{len(worse)} ratios are worse"
    )
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
