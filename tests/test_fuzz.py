"""Coverage-guided fuzzing of the readers (`fuzz.py`), where Atheris is installed; Hypothesis does it in their own tests."""

import subprocess
import sys

import pytest

from conftest import ROOT

SOME, MANY = 4, 240  # seconds


@pytest.mark.parametrize("seconds", [SOME, pytest.param(MANY, marks=pytest.mark.slow)])
def test_nothing_but_refusals(tmp_path, seconds):
    pytest.importorskip("atheris", reason="atheris is not installed (pip install atheris; Linux on x86-64)")
    (tmp_path / "corpus").mkdir()
    limits = (f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=2500", "-max_len=4096")
    command = [sys.executable, str(ROOT / "tests" / "fuzz.py"), "corpus", *limits]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
