"""Telling processors apart: by what /proc/cpuinfo says, on this machine and on boards."""

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.kernels import tvm_private
from zoo.kernels.cores import cores, nearest
from zoo.kernels.processor import UNKNOWN, Machine, here, machine_of

X86 = "vendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nflags\t\t: {}\n"


@pytest.mark.parametrize(
    ("vendor", "family", "model", "flags", "name"),
    [
        ("AuthenticAMD", 26, 2, "", "znver5"),
        ("AuthenticAMD", 25, 17, "", "znver4"),
        ("AuthenticAMD", 25, 160, "", "znver4"),
        ("AuthenticAMD", 25, 1, "", "znver3"),
        ("AuthenticAMD", 23, 49, "", "znver2"),
        ("AuthenticAMD", 23, 1, "", "znver1"),
        ("GenuineIntel", 6, 143, "", "sapphirerapids"),
        ("GenuineIntel", 6, 207, "", "emeraldrapids"),
        ("GenuineIntel", 6, 85, "avx512f", "skylake-avx512"),
        ("GenuineIntel", 6, 85, "avx512f avx512_vnni", "cascadelake"),
        ("GenuineIntel", 6, 85, "avx512_vnni avx512_bf16", "cooperlake"),
        ("GenuineIntel", 6, 9999, "", "genuineintel-6-9999"),
        ("HygonGenuine", 24, 1, "", "hygongenuine-24-1"),
    ],
)
def test_what_a_pc_says_of_itself(vendor, family, model, flags, name):
    found = machine_of(X86.format(vendor, family, model, "AMD EPYC", flags) + "cpu MHz : 2596.096\ncores: 2\n1D: 48K")
    assert found == Machine(name, "AMD EPYC", cores=2, l1d=48 << 10, mhz=2596)


@pytest.mark.parametrize(
    ("implementer", "part", "name"),
    [("0x41", "0xd03", "cortex-a53"), ("0x41", "0xd0c", "neoverse-n1"), ("0x4e", "0x004", "carmel")],
)
def test_what_a_board_says_of_itself(implementer, part, name):
    report = (
        f"CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU part\t: {part}\nboard: Pi\0\nkhz: 1500000\n2U: 1M"
    )
    assert machine_of(report) == Machine(name, "Pi", l2=1 << 20, mhz=1500)


@given(st.text(max_size=300))
def test_any_report_is_a_machine_that_a_record_can_hold(text):
    for report in (text, f"vendor_id: {text}", f"board: {text}", f"2U: {text}\ncores: {text}"):
        found = machine_of(report)
        assert Machine.parse(found.fields()) == found
    assert machine_of("") == Machine(UNKNOWN, UNKNOWN)


def test_the_table_s_names_are_the_compiler_s():
    pytest.importorskip("tvm")
    known = set()
    for triple in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        known |= tvm_private.llvm_processors({"kind": "llvm", "mtriple": triple, "mcpu": "generic"})
    assert set(cores()) <= known


def test_the_compiler_calls_this_machine_so_too():
    if not find_spec("tvm"):
        pytest.skip("TVM is not installed")
    if here().processor in cores():
        assert tvm_private.llvm_processor() == here().processor


@pytest.mark.parametrize(
    ("to", "bits", "order"),
    [
        # Zen 5 begins two multiply-adds of 512 bits in a cycle, as Sapphire Rapids does; Zen 4 one
        ("znver5", 512, ["sapphirerapids", "cascadelake"]),
        ("znver4", 512, ["znver3"]),
        ("sapphirerapids", 512, ["cascadelake", "znver5"]),
        # of 256 bits all begin two: the same line of descent comes first, then the size of the caches
        ("znver5", 256, ["znver4", "znver3", "sapphirerapids", "cascadelake"]),
        ("sapphirerapids", 256, ["cascadelake", "znver5", "znver4", "znver3"]),
        ("never heard of", 512, []),
    ],
)
def test_which_processors_are_near(to, bits, order):
    assert nearest(to, ("znver3", "znver4", "znver5", "sapphirerapids", "cascadelake", "what"), bits) == order


def test_which_boards_are_near():
    assert nearest("cortex-a76", ("cortex-a53", "cortex-a72", "cortex-a78", "neoverse-n1"), 128) == [
        "neoverse-n1",
        "cortex-a78",
    ]


@given(st.sampled_from(sorted(cores())), st.permutations(sorted(cores())), st.sampled_from((128, 256, 512)))
def test_nearness_is_an_order_of_its_own(to, names, bits):
    found = nearest(to, names, bits)
    assert found == nearest(to, sorted(names), bits)
    assert to not in found
    assert all(to in nearest(other, cores(), bits) for other in found)
