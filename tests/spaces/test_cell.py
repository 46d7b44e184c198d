import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import ArchitectureError
from edgewright.spaces import Cell, CellSpace
from edgewright.spaces.cell import EDGES, N_NODES, OPERATIONS, cells_from_numbers, live_edges, pruned

SPACES = {space.name: space for space in (CellSpace(), CellSpace(distinct=False))}
EVERY = cells_from_numbers(np.arange(5**6))
cells = st.lists(st.integers(0, 4), min_size=6, max_size=6).map(np.array)
spaces = st.sampled_from(list(SPACES.values()))


def computed(x: np.ndarray, pool: float = 0.5) -> float:
    """Return the output of a cell on the number 1, each operation a factor of its own."""
    factors = np.array([0.0, 1.0, 3.1, 7.3, pool])
    # A different factor on each edge tells operations on different edges apart.
    values = np.zeros(N_NODES)
    values[0] = 1.0
    for edge, (source, target) in enumerate(EDGES):
        values[target] += values[source] * factors[x[edge]] * 1.37 ** (edge * (x[edge] != 0))
    return float(values[-1])


def test_all_cells_are_9445_networks():
    assert SPACES["nas-bench-201"].members.shape == (9445, 6)
    np.testing.assert_array_equal(SPACES["nas-bench-201-as-written"].members, EVERY)
    assert int((~live_edges(EVERY).any(axis=1)).sum()) == 341  # the output ignores the input


@given(cells)
@settings(max_examples=200, deadline=None)
def test_pruning_changes_nothing_that_is_computed_and_no_live_edge(x):
    small = pruned(x[None])[0]
    assert computed(small) == computed(x)
    for edge in np.flatnonzero(small):
        changed = small.copy()
        changed[edge] = 0
        assert computed(changed) != computed(small)


@given(cells)
@settings(max_examples=100, deadline=None)
def test_a_dead_edge_may_have_any_operation(x):
    live = live_edges(x[None])[0]
    for edge in np.flatnonzero(~live & (x != 0)):
        for operation in range(5):
            changed = x.copy()
            changed[edge] = operation
            np.testing.assert_array_equal(pruned(changed[None])[0], pruned(x[None])[0])


@given(spaces, cells)
@settings(max_examples=100, deadline=None)
def test_decoding_an_encoding_and_encoding_it_again_is_the_identity(space, x):
    x = space.repair(x[None])[0]
    cell = space.decode(x)
    np.testing.assert_array_equal(space.encode(cell), x)
    assert Cell.from_text(str(cell)) == cell
    np.testing.assert_array_equal(space.repair(x[None])[0], x)


def test_cells_are_written_as_nas_bench_201_writes_them():
    cell = Cell(("nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"))
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    assert str(cell) == cell.to_json()["cell"] == text
    assert Cell.from_text(text) == cell
    with pytest.raises(ArchitectureError, match="cannot read the cell"):
        Cell.from_text("|nor_conv_3x3~1|")


@pytest.mark.parametrize("space", SPACES.values(), ids=str)
def test_repaired_and_drawn_cells_are_members(space):
    members = {tuple(x) for x in space.members.tolist()}
    assert {tuple(x) for x in space.repair(EVERY).tolist()} == members
    drawn = space.sample(np.random.default_rng(0), 500)
    assert {tuple(x) for x in drawn.tolist()} <= members
    assert space.sample(np.random.default_rng(0), 0).shape == (0, 6)
    assert space.repair(EVERY[:0]).shape == (0, 6)
    for cell in (space.smallest(), space.largest()):
        assert tuple(space.encode(cell).tolist()) in members


@pytest.mark.parametrize("space", SPACES.values(), ids=str)
def test_neighbours_are_mutual_and_reach_every_network(space):
    reached = {tuple(space.encode(space.smallest()).tolist())}
    frontier = reached
    while frontier:
        near = {tuple(y) for x in frontier for y in space.neighbours(np.array(x)).tolist()}
        assert all(x not in map(tuple, space.neighbours(np.array(x)).tolist()) for x in list(frontier)[:5])
        frontier = near - reached
        reached |= near
    assert len(reached) == len(space.members)
    for x in space.sample(np.random.default_rng(1), 20):
        for y in space.neighbours(x):
            assert tuple(x.tolist()) in map(tuple, space.neighbours(y).tolist())


def test_cells_as_written_have_a_neighbour_for_each_other_operation():
    assert SPACES["nas-bench-201-as-written"].neighbours(EVERY[77]).shape == (24, 6)


def test_spaces_that_tell_cells_apart_otherwise_have_another_digest():
    assert len({space.digest for space in SPACES.values()}) == 2
    assert CellSpace() == CellSpace(distinct=True)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([0, 1, 2], "is 6 integers"),
        ([0.5] * 6, "is 6 integers"),
        ([0, 1, 2, 3, 4, 5], "edge 2 to 3"),
        ([-1, 1, 2, 3, 4, 0], "edge 0 to 1"),
    ],
)
def test_encodings_of_no_cell_are_refused(x, said):
    with pytest.raises(ArchitectureError, match=said):
        CellSpace().decode(x)


def test_cells_of_unknown_operations_are_refused():
    with pytest.raises(ArchitectureError, match="got max_pool"):
        CellSpace().encode(Cell(("max_pool",) * 6))
    assert set(CellSpace().largest().operations) <= set(OPERATIONS)
