import json

import numpy as np
import pytest
import torch
from doubles.archives import rows
from doubles.tiny_chain import BUDGET
from safetensors import safe_open
from safetensors.torch import save_file

from edgewright.errors import UsageError
from edgewright.evaluation import ProcessPool
from edgewright.files import file_digest
from edgewright.pipeline import evaluator
from edgewright.pipeline.evaluator import SubnetError, evaluator_of, load_subnet_error
from edgewright.pipeline.search import SearchOptions, search_run
from edgewright.pipeline.workers import cpus, usual_workers
from edgewright.search.archive import Archive
from edgewright.training.attack import Attack, adversarial_error


def sample(space, n):
    return space.sample(np.random.default_rng(0), n)


def archive(run, name):
    return run / "searches" / name / "archive.sqlite"


def test_the_error_is_that_of_the_calibrated_subnet(trained):
    found = SubnetError.of_run(trained)
    for x in sample(trained.space, 4):
        assert found(x) == trained.evaluate(trained.space.decode(x)).error


def test_it_depends_on_no_earlier_evaluation_and_on_no_number_of_threads(trained):
    X = sample(trained.space, 4)
    forth = [SubnetError.of_run(trained)(x) for x in X]
    again = SubnetError.of_run(trained)
    torch.set_num_threads(2)
    back = [again(x) for x in X[::-1]]
    assert torch.get_num_threads() == 2, "what the caller computes with is left as it was"
    assert back[::-1] == forth


def test_what_a_worker_loads_is_the_evaluator(trained, tmp_path):
    path = tmp_path / "evaluator.safetensors"
    found = SubnetError.of_run(trained)
    found.save(path)
    loaded = load_subnet_error(path)
    assert loaded.space == trained.space
    assert loaded.data.digest == trained.data.digest
    for x in sample(trained.space, 4):
        assert loaded(x) == found(x)


def test_under_attack_it_is_both_errors_of_one_network_here_and_in_a_worker(trained, tmp_path):
    attack = Attack(epsilon=16 / 255, n_images=40)
    found = SubnetError.of_run(trained, attack)
    found.save(tmp_path / "evaluator.safetensors")
    loaded = load_subnet_error(tmp_path / "evaluator.safetensors")
    assert loaded.attack == attack
    for x in sample(trained.space, 4):
        arch = trained.space.decode(x)
        network = trained.network(arch)
        fooled = adversarial_error(network, trained.data, attack, split="val", resolution=arch.resolution)
        assert found(x) == {"error": trained.evaluate(arch).error, "adversarial-error": fooled}
        assert loaded(x) == found(x)


def test_a_workers_file_of_before_attacks_is_read(trained, tmp_path):
    path = tmp_path / "evaluator.safetensors"
    SubnetError.of_run(trained).save(path)
    with safe_open(str(path), framework="pt") as stream:
        header = json.loads(stream.metadata()["edgewright"])
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    assert header.pop("attack") is None
    save_file(tensors, path, {"edgewright": json.dumps(header | {"schema": 1})})
    x = sample(trained.space, 1)[0]
    assert load_subnet_error(path)(x) == SubnetError.of_run(trained)(x)


def test_nothing_is_left_of_the_workers_file(trained, tmp_path):
    with evaluator_of(trained, tmp_path, workers=2):
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())
    with evaluator_of(trained, tmp_path, workers=0):
        assert not list(tmp_path.iterdir()), "this process needs none"


def test_what_earlier_evaluations_took_decides_when_one_hangs(trained, tmp_path):
    with evaluator_of(trained, tmp_path, workers=1, earlier_s=[100.0] * 8) as crew:
        assert crew.limit.seconds == 10_000.0
    with evaluator_of(trained, tmp_path, workers=1, earlier_s=[100.0] * 8, time_limit_s=5.0) as crew:
        assert crew.limit.seconds == 5.0
    with evaluator_of(trained, tmp_path, workers=1, time_limit_s=0.0) as crew:
        assert crew.limit.seconds == np.inf


def test_by_default_no_evaluation_is_in_the_searchs_own_process(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluator, "usual_workers", usual_workers)  # tests leave it out for its start alone
    with evaluator_of(trained, tmp_path, batch=2) as crew:
        assert isinstance(crew, ProcessPool)
        assert crew.n_workers == min(2, cpus())


def test_workers_change_nothing_but_the_time_it_takes(chain, trained_only):
    for name, workers in (("none", 0), ("two", 2)):
        options = SearchOptions(
            name=name, workers=workers, budget=BUDGET, evaluations=24, tables=chain.tables, seed=5
        )
        assert len(search_run(trained_only, options).front.members) == 24
    assert rows(archive(trained_only, "none")) == rows(archive(trained_only, "two"))
    with Archive.read(archive(trained_only, "two")) as opened:
        assert {row.worker for row in opened.evaluations} == {"process 1", "process 2"}
        weights = file_digest(trained_only / "supernet.safetensors")
        assert {row.weights for row in opened.evaluations} == {weights}
    assert not list((trained_only / "searches" / "two").glob("*.safetensors"))


def test_an_evaluation_with_a_time_limit_works_in_a_process_that_can_be_ended(chain, trained_only):
    options = SearchOptions(evaluations=2, tables=chain.tables, workers=1, time_limit_s=1e-6)
    found = search_run(trained_only, options)
    with Archive.read(found.folder / "archive.sqlite") as opened:
        # One may be done before anyone has looked at the time.
        assert {row.failure_kind for row in opened.failures} <= {"hung"}
        assert {row.worker for row in opened.evaluations} == {"process 1"}


@pytest.mark.slow
def test_workers_attack_as_one_process_does(chain, trained_only):
    common = {"budget": "cpu=50ms", "objectives": "adversarial-error", "tables": chain.tables, "seed": 2}
    # The second is cut short within an iteration and goes on.
    for name, workers, n in (("one", 0, 20), ("two", 2, 17), ("two", 2, 20)):
        search_run(trained_only, SearchOptions(name=name, workers=workers, evaluations=n, **common))
    assert rows(archive(trained_only, "one")) == rows(archive(trained_only, "two"))
    assert all(len(row[2]) == 3 for row in rows(archive(trained_only, "one")))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"workers": -1}, "at least 1 worker"),
        ({"workers": 0, "time_limit_s": 5.0}, "leave out --workers or --time-limit"),
        ({"workers": 0, "cluster": "local"}, "leave out --workers or --cluster"),
        ({"time_limit_s": -1.0}, "0 for none"),
        ({"cluster": "somewhere"}, "no Ray cluster"),
    ],
)
def test_workers_that_cannot_be_are_refused_before_anything_is_written(chain, trained_only, given, named):
    with pytest.raises(UsageError, match=named):
        search_run(trained_only, SearchOptions(evaluations=2, tables=chain.tables, **given))
    assert not (trained_only / "searches").exists()
