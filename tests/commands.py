"""Runs `zoo` as a person would, without importing PyTorch anew each time.

A process that has imported what is large, and nothing of ours, forks for every command; what the child does from there on
is what `python -m zoo` does: its own working directory, environment, output and exit code.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

LARGE = ("numpy", "PIL.Image", "rich.table", "typer", "torch", "safetensors.torch", "tvm", "xgboost")


class Commands:
    """The parent, from the side of the tests."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words, cwd, environment, seconds=0):
        """(exit code, stdout, stderr) of `zoo WORDS`, which is killed after so many seconds (0: never)."""
        with tempfile.TemporaryDirectory() as folder:
            asked = {"words": [str(word) for word in words], "cwd": str(cwd), "environment": environment, "to": folder}
            asked["seconds"] = seconds
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            code = int(self.process.stdout.readline())
            return code, *(Path(folder, name).read_text() for name in ("out", "err"))

    def close(self):
        with self.process:
            self.process.stdin.close()


def serve():
    """Fork for every line of stdin; print the exit code of each child."""
    for name in LARGE:
        __import__(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            return command(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def command(words, cwd, environment, to, seconds):
    """What `python -m zoo` would do."""
    for number, name in enumerate(("out", "err"), 1):
        os.dup2(os.open(Path(to, name), os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    signal.alarm(seconds)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path[0] = ["zoo", *words], ""
    runpy.run_module("zoo", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
