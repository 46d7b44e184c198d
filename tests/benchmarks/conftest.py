import pytest
from doubles.cells import write_cells


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A made-up file of cells."""
    return write_cells(tmp_path_factory.mktemp("cells") / "cells.npz")
