import json
import re
import shutil

import pytest
from doubles.signed import rewrite
from doubles.tiny_chain import BUDGET, EVALUATIONS, contents

from edgewright.search.archive import Archive
from edgewright.search.design import DESIGNS
from edgewright.search.infill import INFILLS
from edgewright.search.inner import INNER_SEARCHES
from edgewright.search.methods import METHODS
from edgewright.search.surrogate import SURROGATES
from edgewright.search.survival import ARCHIVES


@pytest.fixture
def search(edgewright, chain, trained_only):
    """Search a run that has no search yet: ``search("--budget", "cpu=50ms")``."""

    def command(*arguments):
        given = dict(zip(arguments[::2], arguments[1::2], strict=False))
        tables = () if "--tables" in given else ("--tables", chain.tables)
        return edgewright("search", "--run", trained_only, *tables, *arguments)

    return command


def rows(run, name="default"):
    with Archive.read(run / "searches" / name / "archive.sqlite") as archive:
        return archive.evaluations


def test_search_compiles_and_measures_its_finalists(search, trained_only):
    found = search(
        *("--budget", "cpu=50ms,litert=50ms,size=4MB", "--evaluations", "8"),
        *("--finalists", "1", "--surrogate", "ridge", "--json"),
    ).json()
    assert found["n_evaluations"] == 8
    assert found["objectives"] == ["error", "cpu", "litert"]
    assert found["budgets"] == {"cpu": 50, "litert": 50, "size": 4e6}
    assert 0 <= found["hypervolume"] <= 1
    best = found["front"][0]
    assert {"error", "cpu", "litert", "size"} == best["costs"].keys()
    finalists = found["verification"]["finalists"]
    assert {row["device"] for row in finalists} == {"local-cpu-onnxruntime", "local-cpu-litert"}
    for row in finalists:
        assert row["verdict"] == "met"
        assert row["parity"] == "passed"
        assert (trained_only / row["artifact"]).is_file()
    assert len(rows(trained_only)) == 8


def test_json_is_a_line_an_iteration_and_the_result_last(search, trained_only):
    asked = ("--budget", "cpu=50ms", "--surrogate", "ridge", "--no-verify", "--json", "--batch", "8")
    asked += ("--evaluations",)
    outcome = search(*asked, "28")
    *iterations, result = outcome.events()
    assert outcome.err == ""
    assert [line["event"] for line in iterations] == ["iteration"] * 3
    assert [line["n_evaluations"] for line in iterations] == [16, 24, 28]
    assert [line["evaluations_left"] for line in iterations] == [12, 4, 0]
    assert iterations[0]["predicted"] == [None] * 16
    assert all(isinstance(error, float) for error in iterations[1]["predicted"])
    assert result["event"] == "result"
    assert result["n_evaluations"] == 28
    assert result["hypervolume"] == iterations[-1]["hypervolume"]
    (again,) = search(*asked, "28").events()
    assert again == result, "nothing is left to do, and the result is told again"


def test_an_error_is_the_last_line_of_json(search):
    outcome = search("--budget", "cpu=1us", "--json")
    (line,) = outcome.events()
    assert (outcome.status, line["exit_code"]) == (3, 3)
    assert "cpu" in line["error"]


def test_adversarial_error_is_minimised_and_told_like_any_other_objective(search, edgewright, trained_only):
    asked = ("--budget", "cpu=50ms,size=4MB", "--objectives", "adversarial-error", "--epsilon", "8/255")
    more = ("--surrogate", "ridge", "--evaluations", "20")
    outcome = search(*asked, *more, "--finalists", "1", "--json")
    *iterations, found = outcome.events()
    assert outcome.status == 0, outcome
    assert iterations[-1]["fidelity"].keys() == {"error", "adversarial-error"}
    assert found["objectives"] == ["error", "adversarial-error", "cpu"]
    assert found["attack"] == {"name": "pgd", "epsilon": 8 / 255, "steps": 5, "images": 512}
    assert {row["verdict"] for row in found["verification"]["finalists"]} == {"met"}
    for member in found["front"]:
        costs = member["costs"]
        assert costs["error"] <= costs["adversarial-error"] <= 1  # all validation images are attacked
    told = edgewright("front", "show", trained_only)
    assert told.out.splitlines()[0].split()[:5] == ["id", "accuracy", "adversarial-error", "cpu", "size"]
    fastest = edgewright("front", "pick", trained_only, "--prefer", "latency", "--json").json()
    assert fastest["costs"]["cpu"] == min(member["costs"]["cpu"] for member in found["front"])
    least = min(member["costs"]["adversarial-error"] for member in found["front"])
    under = ("front", "pick", trained_only, "--under")
    robust = edgewright(*under, f"adversarial-error={100 * least + 1e-3}%", "--json").json()
    assert robust["costs"]["adversarial-error"] == least
    edgewright(*under, "adversarial-error=0.001%").refusal(3, "adversarial-error <= 0.00%", "the nearest")
    assert edgewright("report", trained_only).status == 0
    before = contents(trained_only)
    search(*asked[:-1], "4/255", *more).refusal(2, "attack was", "0.03137", "now", "0.01568", told=1)
    search("--budget", "cpu=50ms,size=4MB", *more).refusal(2, "objectives was", "now", told=1)
    assert contents(trained_only) == before
    archived = rows(trained_only)
    again = search(*asked, *more, "--no-verify")
    assert "minimising error, adversarial-error (PGD of 5 steps, epsilon 8/255), cpu; " in again.err
    assert rows(trained_only) == archived


def test_without_a_device_macs_stand_for_cost_beside_adversarial_error_too(search):
    asked = ("--objectives", "adversarial-error", "--evaluations", "2", "--no-verify", "--json")
    assert search(*asked).json()["objectives"] == ["error", "adversarial-error", "macs"]


def test_a_finished_search_is_told_again_not_made_again(edgewright, chain, own_run):
    before = rows(own_run)
    found = edgewright(
        *("search", "--run", own_run, "--budget", BUDGET, "--evaluations", EVALUATIONS),
        *("--tables", chain.tables, "--no-verify"),
    )
    assert found.status == 0
    assert f"{EVALUATIONS} networks evaluated" in found.out
    assert "minimising error, cpu, litert; cpu at most 50 ms" in found.err
    assert rows(own_run) == before


def test_a_search_can_be_made_longer(search, trained_only):
    common = ("--surrogate", "ridge", "--no-verify", "--evaluations")
    assert search(*common, "6").status == 0
    before = rows(trained_only)
    assert search(*common, "10").status == 0
    assert len(rows(trained_only)) == 10
    assert rows(trained_only)[:6] == before
    assert search(*common, "3").status == 0, "shorter than it is already: nothing to do"
    assert len(rows(trained_only)) == 10


def test_named_searches_keep_apart_and_so_do_their_artifacts(search, edgewright, trained_only):
    common = ("--evaluations", "2", "--no-verify", "--json")
    small, fast = (
        search("--name", name, "--objectives", objective, *common).json()
        for name, objective in (("small", "params"), ("fast", "cpu"))
    )
    assert small["objectives"] == ["error", "params"]
    assert fast["objectives"] == ["error", "cpu"]
    made = [
        edgewright("compile", trained_only, "--pick", "1", "--for", "cpu", "--name", name, "--json").json()
        for name in ("small", "fast")
    ]
    assert made[0]["artifact"] != made[1]["artifact"]
    edgewright("front", "show", trained_only).refusal(2, "no search 'default'", "edgewright search")


def test_a_search_of_other_inputs_is_left_alone(edgewright, chain, own_run):
    before = contents(own_run)
    same = ("search", "--run", own_run, "--tables", chain.tables, "--evaluations", EVALUATIONS)
    for arguments, differing in (
        (("--budget", "cpu=40ms,litert=50ms"), "asked_budgets"),
        (("--budget", BUDGET, "--seed", "4"), "seed was 0, now 4"),
        (("--budget", BUDGET, "--objectives", "macs"), "objectives"),
        (("--budget", BUDGET, "--surrogate", "ridge"), 'surrogate was "auto", now "ridge"'),
    ):
        edgewright(*same, *arguments).refusal(
            2, f"{EVALUATIONS} evaluations", differing, "another --name", told=1
        )
    assert contents(own_run) == before


def test_a_table_measured_anew_makes_another_search(edgewright, chain, own_run, tables):
    path = tables / chain.table("cpu").relative_to(chain.tables)
    rewrite(path, created_utc="2020-01-01T00:00:00Z")
    edgewright(
        *("search", "--run", own_run, "--tables", tables, "--evaluations", EVALUATIONS, "--budget", BUDGET)
    ).refusal(2, "tables was", told=1)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("cpu=4", ["'cpu' takes the units", "ms", "got none"]),
        ("cpu=4MB", ["'cpu' takes the units", "got MB"]),
        ("size=2ms", ["'size' takes the units", "MB", "got ms"]),
        ("sise=2MB", ["unknown name 'sise'", "size", "cpu", "local-cpu-litert"]),
        ("gpu7=4ms", ["unknown name 'gpu7'", "raspberry-pi-5"]),
        ("cpu", ["'cpu' is not NAME=VALUE"]),
        ("cpu=fast", ["'cpu' needs a number, got 'fast'"]),
        ("cpu=0ms", ["'cpu' must be above 0"]),
        ("cpu=-1ms", ["'cpu' must be above 0"]),
        ("cpu=4ms,cpu=5ms", ["'cpu' is given twice"]),
        ("cpu=4ms,,size=2MB", ["empty"]),
        ("cpu=4m,size=3,gpu7=2ms", ["'cpu' takes", "'size' takes", "unknown name 'gpu7'"]),
        ("adversarial-error=30%", ["no search can hold 'adversarial-error'", "front pick RUN --under"]),
        ("error=5%", ["no search can hold 'error'", "front pick RUN --under"]),
    ],
)
def test_a_budget_that_cannot_be_read_is_answered_with_all_its_faults(search, trained_only, budget, said):
    search("--budget", budget).refusal(2, *said, "write it as cpu=4ms,size=2MB")
    assert not (trained_only / "searches").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--objectives", "speed"], ["unknown name 'speed' in --objectives", "cpu", "macs"]),
        (["--objectives", "cpu=4ms"], ["--objectives takes names", "--budget"]),
        (["--objectives", "error"], ["'error' is minimised in every search", "leave it out"]),
        (["--objectives", "cpu,energy"], ["write DEVICE.energy", "edgewright table energy DEVICE"]),
        (["--budget", "energy=4mJ"], ["write DEVICE.energy", "edgewright table energy DEVICE"]),
        (
            ["--objectives", "cpu.energy"],
            ["no energy model of local-cpu-onnxruntime", "edgewright table energy local-cpu-onnxruntime"],
        ),
        (["--objectives", "gpu7.energy"], ["unknown name 'gpu7.energy'", "DEVICE.energy"]),
        (["--budget", "cpu.energy=4ms"], ["'cpu.energy' takes the units uJ, µJ, mJ, J, got ms"]),
        (["--objectives", "adversarial-error,cpu,adversarial-error"], ["'adversarial-error' is given twice"]),
        (["--epsilon", "2/255"], ["--epsilon 0.00784", "--objectives adversarial-error"]),
        (["--epsilon", "2/0"], ["--epsilon takes a number", "'2/0'"]),
        (["--epsilon", "much"], ["--epsilon takes a number", "2/255", "'much'"]),
        (["--objectives", "adversarial-error", "--epsilon", "2"], ["at most 1", "got 2", "--epsilon 2/255"]),
        (["--objectives", "adversarial-error", "--epsilon", "nan"], ["above 0", "got nan"]),
        (["--surrogate", "oracle"], ["unknown surrogate 'oracle'", *SURROGATES]),
        (["--method", "oracle"], ["unknown method 'oracle'", *METHODS]),
        (["--design", "oracle"], ["unknown design 'oracle'", *DESIGNS]),
        (["--infill", "oracle"], ["unknown infill 'oracle'", *INFILLS]),
        (["--inner", "oracle"], ["unknown inner 'oracle'", *INNER_SEARCHES]),
        (["--archive", "oracle"], ["unknown archive policy 'oracle'", *ARCHIVES]),
        (["--method", "a", "--infill", "b"], ["unknown method 'a'", "unknown infill 'b'"]),
        (["--objectives", "cpu,cpu"], ["'cpu' is given twice in --objectives"]),
        (
            ["--budget", "cpu=50ms", "--objectives", "local-cpu-onnxruntime"],
            ["'cpu' and 'local-cpu-onnxruntime' are the same device", "name it once"],
        ),
        (["--pre-screening", "20"], ["pre-screening evaluates 20 times 16", "evaluations are 200"]),
        (["--name", "../elsewhere"], ["'../elsewhere'", "--name"]),
        (["--name", ""], ["''", "--name"]),
        (["--budget", "cpu=50ms", "--precision", "fp8"], ["no precision 'fp8'", "fp32, int8, fp16"]),
        (["--budget", "cpu=50ms", "--precision", "int8"], ["no latency table", "edgewright profile"]),
        (
            ["--budget", "pi5=50ms"],
            ["no latency table of raspberry-pi-5", "edgewright profile raspberry-pi-5"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_searched_for(search, trained_only, arguments, said):
    search(*arguments).refusal(2, *said)
    assert not (trained_only / "searches").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seed", "-1"],
        ["--seed", str(2**31)],
        ["--evaluations", "0"],
        ["--initial", "0"],
        ["--batch", "0"],
        ["--pre-screening", "0"],
        ["--archive-size", "3"],
    ],
    ids=" ".join,
)
def test_numbers_out_of_range(search, trained_only, arguments):
    search(*arguments).refusal(2, f"Invalid value for '{arguments[0]}'", "should be", "--help")
    assert not (trained_only / "searches").exists()


def test_the_help_lists_every_part(edgewright):
    text = " ".join(edgewright("search", "--help").out.replace("│", " ").split())
    for names in (METHODS, DESIGNS, SURROGATES, INFILLS, INNER_SEARCHES, ARCHIVES):
        for name in names:
            assert name in text


@pytest.mark.parametrize("method", [name for name in METHODS if name != "surrogate"])
def test_baselines_search_under_the_same_budgets(search, trained_only, method):
    asked = ("--budget", "cpu=50ms", "--method", method, "--initial", "4", "--batch", "2", "--no-verify")
    found = search(*asked, "--evaluations", "8", "--json").json()
    assert found["n_evaluations"] == 8
    before = rows(trained_only)
    assert search(*asked, "--evaluations", "10").status == 0
    assert rows(trained_only)[:8] == before
    again = ("--budget", "cpu=50ms", "--initial", "4", "--batch", "2", "--evaluations", "10")
    search(*again).refusal(2, f'method was "{method}", now "surrogate"', "another --name", told=1)


def test_a_search_by_other_parts(search, trained_only):
    found = search(
        *("--design", "latin", "--pre-screening", "2", "--initial", "5", "--batch", "3", "--no-verify"),
        *("--infill", "subset", "--archive", "constant", "--archive-size", "6", "--inner", "nsga3"),
        *("--surrogate", "ridge", "--evaluations", "14", "--json"),
    ).json()
    assert found["n_evaluations"] == 14
    assert [row.iteration for row in rows(trained_only)] == [0] * 10 + [1] * 3 + [2]


@pytest.mark.parametrize(
    "budget", ["cpu=0.1us", "size=1kB", "macs=1k", "params=10", "cpu=0.1us,litert=0.1us,size=1kB"]
)
def test_the_nearest_feasible_value_that_a_refusal_names_is_feasible(search, budget):
    line = search("--budget", budget).refusal(3, "no network of", "the least is", "raise the budget", told=1)
    # … and what stands in the way: an operator by its place in the network.
    assert len(re.findall(r"of which (stem|block [\d.]+|head) \([^)]*\) takes", line)) == budget.count("=")
    least = re.findall(r"(\w+) <= [^:]*: the least is ([\d.]+(?:e-?\d+)?) ?([A-Za-z]*)", line)
    assert len(least) == budget.count("=")
    met = ",".join(f"{name}={value}{unit}" for name, value, unit in least)
    again = search("--budget", met, "--evaluations", "1", "--no-verify", "--json")
    if again.status == 3:  # together they may still exclude each other, and that is said
        again.refusal(3, "each budget can be met alone", "the nearest has")
        assert len(least) > 1
    else:
        assert again.json()["n_evaluations"] == 1


def test_a_run_that_is_not_there_or_not_trained(edgewright, chain, trained_only, tmp_path):
    edgewright("search", "--run", tmp_path / "none").refusal(2, "does not exist", "edgewright train")
    (trained_only / "supernet.safetensors").unlink()
    line = edgewright("search", "--run", trained_only).refusal(2, "has not finished", "edgewright train")
    for option in ("--epochs 10", "--batch-size 16", "--optimizer adamw", f"--data {chain.images}"):
        assert option in line


def test_images_that_are_gone_or_changed_are_noticed(edgewright, chain, trained_only, tmp_path):
    description = json.loads((trained_only / "run.json").read_text())

    def move_to(source):
        changed = description | {"data": description["data"] | {"source": str(source)}}
        (trained_only / "run.json").write_text(json.dumps(changed))

    images = shutil.copytree(chain.images, tmp_path / "images")
    shutil.copyfile(images / "train" / "rows" / "01.jpg", images / "train" / "rows" / "02.jpg")
    move_to(images)
    edgewright("search", "--run", trained_only).refusal(2, "have changed", "put them back", told=1)
    move_to(tmp_path / "gone")
    edgewright("search", "--run", trained_only).refusal(2, "does not exist", told=1)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text[:40], ["truncated or not JSON"]),
        (lambda text: "[]", ["schema"]),
        (lambda text: text.replace('"space"', '"place"'), ["missing key 'space'"]),
        (lambda text: text.replace('"digest"', '"hash"'), ["missing key 'data.digest'"]),
        (lambda text: text.replace("mobilenetv3-small-image@16", "resnet"), ["unknown space 'resnet'"]),
        (lambda text: text.replace('"schema": 1', '"schema": 7'), ["schema 7, expected 1"]),
    ],
    ids=["half", "list", "no space", "no digest", "other space", "other schema"],
)
@pytest.mark.parametrize("verb", ["search --run", "front show", "report", "verify"])
def test_a_damaged_or_edited_description_of_a_run(edgewright, own_run, verb, edit, said):
    path = own_run / "run.json"
    path.write_text(edit(path.read_text()))
    before = contents(own_run)
    edgewright(*verb.split(), own_run).refusal(2, *said, "edgewright train")
    assert contents(own_run) == before


def test_a_damaged_archive_is_refused_and_kept(edgewright, chain, own_run):
    archive = own_run / "searches" / "default" / "archive.sqlite"
    for spare in archive.parent.glob("archive.sqlite-*"):
        spare.unlink()
    for data in (archive.read_bytes()[:6000], b"not a database, surely, whatever one may wish" * 100):
        archive.write_bytes(data)
        edgewright(*("search", "--run", own_run, "--budget", BUDGET, "--tables", chain.tables)).refusal(
            2, "archive", told=1
        )
        edgewright("report", own_run).refusal(2, "archive")
        edgewright("front", "show", own_run).refusal(2, "archive")
        assert archive.read_bytes() == data


def test_a_table_of_another_machine_needs_to_be_allowed(search, chain, tables):
    path = tables / chain.table("cpu").relative_to(chain.tables)
    fingerprint = json.loads(path.read_text())["fingerprint"]
    rewrite(path, fingerprint=fingerprint | {"cpu_model": "a Raspberry Pi"})
    asked = ("--tables", tables, "--budget", "cpu=50ms", "--evaluations", "1", "--no-verify", "--json")
    search(*asked).refusal(2, "another machine", "a Raspberry Pi", "edgewright profile", "--allow-foreign")
    assert search(*asked, "--allow-foreign").json()["n_evaluations"] == 1


def test_a_table_of_another_device_or_threads_needs_to_be_allowed(search, chain, tables):
    path = tables / chain.table("cpu").relative_to(chain.tables)
    rewrite(path, threads=4)
    asked = ("--tables", tables, "--budget", "cpu=50ms", "--evaluations", "1", "--no-verify", "--json")
    search(*asked).refusal(2, "4 thread(s)", "asks for", "edgewright profile", "--allow-foreign")
    assert search(*asked, "--allow-foreign").json()["n_evaluations"] == 1
    rewrite(path, threads=1, device="toaster")
    search(*asked).refusal(2, "of toaster", "edgewright profile", "--allow-foreign")


def test_a_table_of_another_runtime_or_precision_is_never_taken(search, chain, tables):
    cpu, litert = (tables / chain.table(device).relative_to(chain.tables) for device in ("cpu", "litert"))
    asked = ("--tables", tables, "--budget", "cpu=50ms", "--allow-foreign")
    rewrite(cpu, precision="int8")
    search(*asked).refusal(2, "onnxruntime, int8", "edgewright profile local-cpu-onnxruntime")
    shutil.copyfile(litert, cpu)
    search(*asked).refusal(2, "through litert", "edgewright profile local-cpu-onnxruntime")


def test_a_table_of_another_space_is_not_taken(search, chain, tables):
    path = tables / chain.table("cpu").relative_to(chain.tables)
    data = json.loads(path.read_text())
    rewrite(path, entries=data["entries"][:-5])
    search("--tables", tables, "--budget", "cpu=50ms").refusal(2, "lacks 5 of", "edgewright profile")


def test_no_table_at_all_is_answered_with_the_command_that_makes_one(search, edgewright, tmp_path):
    line = search("--tables", tmp_path / "none", "--budget", "cpu=50ms").refusal(2, "no latency table")
    assert "edgewright profile local-cpu-onnxruntime --space mobilenetv3-small-image@16:4" in line
