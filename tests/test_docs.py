"""What the documents say is so: paths exist, Python blocks run, commands parse, the variant table is the catalogue."""

import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from conftest import ROOT
from zoo.cli.app import app
from zoo.model.network import FastDepth, count
from zoo.release.card import card
from zoo.variant import catalogue
from zoo.weights.checkpoint import config

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_path_named_exists(page):
    for path in re.findall(r"`((?:zoo|kernels|tests|examples|docs)/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists() or path == "zoo/load.py", path


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.S))
def test_the_readme_s_python_runs(block):
    subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^zoo (\w+) ", README, re.M))))
def test_the_readme_s_commands_exist(line):
    assert CliRunner().invoke(app, [line, "--help"]).exit_code == 0


def test_the_readme_lists_the_catalogue():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) M \| (\w+) \| ([\d.]+) \|", README, re.M)
    assert [row[0] for row in rows] == [v.name for v in catalogue()]
    assert [row[2] for row in rows] == [v.weights.status for v in catalogue()]
    for (name, _, _, delta1), v in zip(rows, catalogue(), strict=True):
        card = (ROOT / "zoo" / "checkpoints" / v.name / "README.md").read_text()
        assert f"| {delta1} |" in card, name


@pytest.mark.parametrize("v", [v for v in catalogue() if v.weights], ids=lambda v: v.name)
def test_a_card_is_what_its_notes_make_it(v):
    folder = ROOT / "zoo" / "checkpoints" / v.name
    notes = config(folder)[1]
    macs = count(FastDepth(v).eval(), *v.input)[0]
    assert (folder / "README.md").read_text() == card(v, notes, macs)
    assert notes["status"] == v.weights.status


def test_make_targets_named_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", README):
        assert f"\n{target}:" in makefile
