from dataclasses import replace
from functools import cache

import pytest
from doubles.tiny_chain import PROFILE

from edgewright.pipeline.profile import profile_device


@pytest.fixture(scope="module")
def tables(tmp_path_factory, chain):
    """Make the table of a device and a lower precision, once each."""
    folder = tmp_path_factory.mktemp("precisions")

    brief = replace(PROFILE, n_fit=4, n_validate=2)  # operators are compared, networks are not

    @cache
    def make(device, precision):
        return profile_device(device, chain.space, precision=precision, tables=folder, preset=brief).path

    return make


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        ("cpu", "int8"),
        pytest.param("cpu", "fp16", marks=pytest.mark.slow),
        pytest.param("litert", "int8", marks=pytest.mark.slow),
    ],
)
def test_a_lower_precision_stands_beside_fp32(edgewright, chain, tables, device, precision):
    command = ("table", "precision", chain.table(device), tables(device, precision))
    found = edgewright(*command, "--json").json()
    assert (found["base"], found["other"]) == ("fp32", precision)
    assert found["n_operators"] == len(found["operators"]) > 10
    assert {"stem", "mbconv", "head"} <= {group["name"] for group in found["groups"]}
    assert found["n_slower"] == sum(row["verdict"] == "slower" for row in found["operators"])
    told = edgewright(*command).out
    assert f"{precision} against fp32" in told
    assert "beyond noise" in told


def test_what_cannot_be_compared_is_one_line(edgewright, chain, tables, tmp_path):
    base = chain.table("cpu")
    edgewright("table", "precision", base, base).refusal(2, "both of fp32", "edgewright profile")
    other = chain.table("litert")
    edgewright("table", "precision", other, tables("cpu", "int8")).refusal(2, "differ in more", "--precision")
    edgewright("table", "precision", base, tmp_path / "none.json").refusal(2, "does not exist")
