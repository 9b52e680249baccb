"""Runs exports in forked children of a process that has imported everything: a line in starts one, its pid comes back.

A child can be killed at any moment, as a real export can; only the seconds of importing are shared.
"""

import os
import sys

import torch

from export import __main__ as command
from export import evidence, onnx_model, release, served  # noqa: F401 - imported before forking


def main() -> None:
    """Arguments separated by tabs in, `pid` and later `ended CODE` out, until standard input closes."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # its own words would mix with ours
            os._exit(command.main(line.rstrip("\n").split("\t")))
        print(child, flush=True)  # noqa: T201
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
