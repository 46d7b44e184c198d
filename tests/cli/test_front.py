import pytest


def test_show_lists_the_front_most_accurate_first(edgewright, chain):
    found = edgewright("front", "show", chain.run, "--json").json()
    assert found["objectives"] == ["error", "cpu", "litert"]
    accuracies = [member["accuracy"] for member in found["front"]]
    assert accuracies == sorted(accuracies, reverse=True)
    lines = edgewright("front", "show", chain.run).out.splitlines()
    assert lines[0].split()[:4] == ["id", "accuracy", "cpu", "litert"]
    assert [line.split()[0] for line in lines[1:]] == [member["id"] for member in found["front"]]


def test_show_marks_what_each_preference_takes(edgewright, chain):
    choices = edgewright("front", "show", chain.run, "--json").json()["choices"]
    assert choices.keys() == {"accuracy", "knee", "latency", "trade-off"}
    lines = edgewright("front", "show", chain.run).out.splitlines()
    for prefer, ids in choices.items():
        assert edgewright("front", "pick", chain.run, "--prefer", prefer, "--json").json()["id"] == ids[0]
        marked = [line.split()[0] for line in lines[1:] if prefer in line]
        assert sorted(marked) == sorted(ids)


@pytest.mark.parametrize("prefer", ["accuracy", "latency", "knee", "trade-off"])
def test_pick_takes_one_of_the_front(edgewright, chain, prefer):
    front = edgewright("front", "show", chain.run, "--json").json()["front"]
    found = edgewright("front", "pick", chain.run, "--prefer", prefer, "--json").json()
    assert found in front
    assert f"network {found['id']}: " in edgewright("front", "pick", chain.run, "--prefer", prefer).out
    if prefer == "accuracy":
        assert found["accuracy"] == front[0]["accuracy"]
    if prefer == "latency":
        assert found["costs"]["cpu"] == min(member["costs"]["cpu"] for member in front)


def test_pick_stays_under_a_limit_that_it_names_itself_when_it_cannot(edgewright, chain):
    line = edgewright("front", "pick", chain.run, "--under", "cpu=0.1us").refusal(
        3, "cpu <= 0.0001 ms", "nearest"
    )
    nearest = line.rsplit("has cpu ", 1)[1].removesuffix(" ms")
    limit = float(nearest) * 1.001
    found = edgewright("front", "pick", chain.run, "--under", f"cpu={limit}ms", "--json").json()
    assert found["costs"]["cpu"] <= limit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--under", "cpu=4"], ["'cpu' takes the units", "write it as"]),
        (["--under", "pi5=4ms"], ["unknown name 'pi5'", "known: cpu, litert"]),
        (["--under", "macs=3M"], ["no objective macs", "it has", "cpu"]),
        (["--under", "adversarial-error=9%"], ["no objective adversarial-error", "it has", "cpu"]),
        (["--under", "error=5ms"], ["'error' takes the units none, %"]),
        (["--prefer", "beauty"], ["knee, accuracy, latency, trade-off", "'beauty'"]),
        (["--name", "other"], ["no search 'other'", "edgewright search"]),
        (["--name", "a/b"], ["'a/b'", "--name"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_picked(edgewright, chain, arguments, said):
    edgewright("front", "pick", chain.run, *arguments).refusal(2, *said)


def test_a_run_without_a_search(edgewright, trained_only, tmp_path):
    edgewright("front", "show", trained_only).refusal(2, "no search 'default'", "edgewright search")
    edgewright("front", "show", tmp_path / "none").refusal(2, "does not exist", "edgewright train")
