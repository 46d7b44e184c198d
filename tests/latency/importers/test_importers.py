import json
import math

import pytest
from doubles import lookup_tables
from doubles.lookup_tables import ALL, OFA_SPACE, fasterseg_json, fbnet_csv, ofa_yaml, proxyless_yaml

from edgewright.errors import TableError, UsageError
from edgewright.latency.imported import import_table
from edgewright.latency.importers import IMPORTERS, find_importer
from edgewright.latency.importers.ofa import keys_of
from edgewright.spaces import find_space

POOL = "AvgPool2D-input:4x4x960-output:1x1x960"
BLOCK = "expanded_conv-input:{0}-output:{1}-expand:72-kernel:3-stride:{2}-idskip:{3}-se:0-hs:0"
GOOD = "{count: 3, mean: 1.0, std: 0.1}"


@pytest.fixture
def write(tmp_path):
    def write(text, name="table"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize("name", ALL)
def test_a_format_is_known_by_its_content(name, write):
    table = import_table(write(ALL[name]()), "phone")
    assert table.format == name
    assert table.unit == "ms"
    assert all(0 <= entry.mean < 100 for entry in table.entries.values())
    assert import_table(write(ALL[name]()), "phone", format_name=name) == table


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("unit", "factor"), [("us", 1e3), ("s", 1e-3)])
def test_another_unit_is_noticed_and_can_be_said(name, unit, factor, write):
    path = write(ALL[name](factor=factor))
    with pytest.raises(TableError, match=rf"read as ms, but .* looks like {unit}; say which .*--unit"):
        import_table(path, "phone")
    said = import_table(path, "phone", unit=unit)
    true = import_table(write(ALL[name]()), "phone")
    assert {k: e.mean for k, e in said.entries.items()} == pytest.approx(
        {k: e.mean for k, e in true.entries.items()}
    )
    assert said.unit == unit


def test_unknown_formats_and_units_name_the_known_ones(write):
    path = write(fbnet_csv())
    with pytest.raises(UsageError, match="unknown format 'nni'; known: csv, ofa, proxylessnas"):
        import_table(path, "phone", format_name="nni")
    with pytest.raises(UsageError, match="unknown unit 'minutes'; known: ns, us, ms, s"):
        import_table(path, "phone", unit="minutes")
    with pytest.raises(TableError, match="none of the known formats"):
        import_table(write("a poem\n"), "phone")
    assert find_importer(None, fbnet_csv()) is IMPORTERS["fbnet"]


def test_ofas_keys_are_operators_of_our_space(write):
    table = import_table(write(ofa_yaml()), "phone")
    space = find_space(OFA_SPACE)
    assert table.space == space.name
    assert set(table.operators) == set(space.all_operators())
    head = space.head(128)
    assert [key.partition("-")[0] for key in table.operators[head]] == [
        "Conv_1",
        "AvgPool2D",
        "Conv_2",
        "Logits",
    ]
    assert all(len(keys) == 1 for op, keys in table.operators.items() if op.kind != "head")


def test_a_proxyless_variance_becomes_a_deviation(write):
    table = import_table(write(proxyless_yaml()), "phone")
    assert {entry.std for entry in table.entries.values()} == {0.2}
    assert not table.operators


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (POOL, "{count: 3, mean: -0.01, std: 0.1}", "negative"),
        (POOL, "{count: 3, mean: 0.0, std: 0.1}", "0 is no latency"),
        (POOL, "{count: 3, mean: .nan, std: 0.1}", "no finite number"),
        (POOL, "{count: 3, mean: .inf, std: 0.1}", "no finite number"),
        (POOL, "{count: 3, mean: 1:30, std: 0.1}", "no finite number"),
        (POOL, "{count: 0, mean: 1.0, std: 0.1}", "count must be"),
        (POOL, "{count: 2.5, mean: 1.0, std: 0.1}", "count must be"),
        (POOL, "{count: 3, mean: 1.0, std: -0.1}", "std must be"),
        (POOL, "{count: 3, mean: 1.0, var: 0.1}", "expected ['count', 'mean', 'std']"),
        (POOL, "{count: 3, mean: 1.0, mean: 2.0, std: 0.1}", "a field twice"),
        (POOL, "1.0", "not count and mean"),
        ("Dense-input:3", GOOD, "no key of this format"),
        (BLOCK.format("64x64x24", "64x64x24", 2, 0), GOOD, "does not follow"),
        (BLOCK.format("64x64x24", "64x64x32", 1, 1), GOOD, "as many channels out as in"),
    ],
)
def test_a_faulty_entry_is_refused_or_left_out(write, key, value, said):
    path = write(ofa_yaml(**{key: value}))
    with pytest.raises(TableError, match="1 faulty entries of") as caught:
        import_table(path, "phone")
    assert said in str(caught.value)
    assert "--drop-faulty" in str(caught.value)
    table = import_table(path, "phone", drop_faulty=True)
    assert [fault.key for fault in table.dropped] == [key]
    assert key not in table.entries
    assert all(key not in keys for keys in table.operators.values()), "an operator lacks one of its keys"


def test_a_key_that_stands_twice_is_refused(write):
    path = write(ofa_yaml() + f"{POOL}:\n  {GOOD}\n")
    with pytest.raises(TableError, match=r"AvgPool2D.*stands a second time in line"):
        import_table(path, "phone")
    assert POOL not in import_table(path, "phone", drop_faulty=True).entries, "which of the two is right?"


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {marker}']",
        "!!python/object:datetime.date {{}}",
        "!!python/name:os.system ''",
        "!mine 3",
    ],
)
def test_a_tag_is_refused_and_never_run(write, tmp_path, tag):
    marker = tmp_path / "marker"
    text = proxyless_yaml(more=f"Conv_1-input:7x7x320-output:7x7x1280: {tag.format(marker=marker)}\n")
    with pytest.raises(TableError, match=r"line 17 has the tag .* plain floats"):
        import_table(write(text), "phone", drop_faulty=True)
    assert not marker.exists()


def test_numpys_own_numbers_are_read_without_numpys_code(write):
    scalar = """
  mean: !!python/object/apply:numpy.core.multiarray.scalar
  - &id001 !!python/object/apply:numpy.dtype
    args: [f8, false, true]
    state: !!python/tuple [3, '<', null, null, null, -1, -1, 0]
  - !!binary |
    AAAAAAAA+D8=
"""
    key = "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:5-stride:2-idskip:0"
    text = proxyless_yaml(more=f"{key}:\n  count: 3\n  var: 0.25{scalar}")
    entry = import_table(write(text), "phone").entries[key]
    assert (entry.mean, entry.std) == (1.5, 0.5)
    with pytest.raises(TableError, match="no finite number"):
        import_table(write(text.replace("f8", "c16")), "phone")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ofa_yaml()[:-40] + "{", "not YAML"),
        ("- expanded_conv-input:\n- expanded_conv-input:x-se:0-hs:0", "mapping"),
        ("[" * 5000, "not YAML"),
        (fbnet_csv()[:-9], "cut off"),
        (fbnet_csv().replace("0.5", "0,5"), "decimals are commas"),
        (fbnet_csv().replace("k5_e6", "kernel5"), "unknown operations kernel5"),
        (fbnet_csv().replace("k5_e6", "k3_e1"), "two columns"),
        (fbnet_csv() + "3,1,1,1,0\n", "layer 3 k3_e1: stands twice"),
        (fbnet_csv().replace("2.5", "-2.5"), "negative"),
        (fbnet_csv().replace("2.5", "0"), "0 is no latency"),
        (fbnet_csv().replace("2.5", "nan"), "no finite number"),
        (fasterseg_json()[:-3], "not JSON"),
        (fasterseg_json().replace("ff_H64_W128_C96", "head_H64_W128_Cin128_Cout19"), "stands twice"),
        (fasterseg_json().replace("0.3", "-0.3"), "negative"),
        (fasterseg_json().replace("0.3", '"fast"'), "no finite number"),
        (fasterseg_json(**{"GRU_H1_W1_C1": 1.0}), "no key of this format"),
        (lookup_tables.single_path_json().replace("4.0", "NaN"), "no finite number"),
        (lookup_tables.single_path_json().replace('"2":', '"1":'), "stands twice"),
    ],
)
def test_a_damaged_file_is_one_line(write, text, said):
    name = next((n for n, make in ALL.items() if text[:5] == make()[:5]), "ofa")
    with pytest.raises(TableError) as caught:
        import_table(write(text), "phone", format_name=name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_skip_may_cost_nothing(write):
    table = import_table(write(fbnet_csv(n_layers=22)), "phone")
    assert table.entries["layer 3 skip"].mean == 0
    assert math.isclose(table.entries["layer 21 k5_e6"].mean, 2.5)


def test_an_aliased_bomb_is_a_fault_not_a_hang(write):
    text = "a: &a {count: 1, mean: 1, std: 1}\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
    )
    with pytest.raises(TableError, match="faulty entries"):
        import_table(write(text), "phone", format_name="ofa")


def test_an_absent_or_binary_file_is_one_line(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        import_table(tmp_path / "none", "phone")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "binary", tmp_path):
        with pytest.raises(TableError, match="cannot be read"):
            import_table(path, "phone")


def test_json_of_another_kind_is_refused(write):
    for text in ("[]", "5", json.dumps({"a": 1})):
        with pytest.raises(TableError):
            import_table(write(text), "phone", format_name="fasterseg")


def test_the_keys_of_an_operator_are_ofas(write):
    space = find_space("mobilenetv3-w1.2@160")
    assert keys_of(space.block(17, 160, 3, 4)) == (
        "expanded_conv-input:5x5x192-output:5x5x192-expand:768-kernel:3-stride:1-idskip:1-se:1-hs:1",
    )
