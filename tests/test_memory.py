from hypothesis import given
from hypothesis import strategies as st

from zoo.kernels.ir.memory import LINE, arrange

tensors = st.lists(
    st.tuples(st.integers(1, 10**6), st.integers(-1, 20), st.integers(0, 20)).map(lambda t: (t[0], t[1], t[1] + t[2])),
    max_size=25,
)


@given(tensors)
def test_tensors_that_live_together_share_nothing(made):
    sizes = {str(i): size for i, (size, _, _) in enumerate(made)}
    lives = {str(i): (first, last) for i, (_, first, last) in enumerate(made)}
    offsets, total = arrange(sizes, lives)
    assert all(offset % LINE == 0 for offset in offsets.values())
    assert total <= sum(size + LINE for size in sizes.values())
    for a in sizes:
        assert offsets[a] + sizes[a] <= total
        for b in sizes:
            if a < b and lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]:
                assert offsets[a] + sizes[a] <= offsets[b] or offsets[b] + sizes[b] <= offsets[a]


def test_tensors_that_never_meet_share_everything():
    assert arrange({"a": 100, "b": 100}, {"a": (0, 1), "b": (2, 3)}) == ({"a": 0, "b": 0}, 100)


def test_nothing_needs_nothing():
    assert arrange({}, {}) == ({}, 0)
