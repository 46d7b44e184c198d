import numpy as np
import pytest

from edgewright.errors import RuntimeFailureError
from edgewright.latency.ledger import Ledger, subject_to_json
from edgewright.latency.measure import Interleaved
from edgewright.latency.paired import TURNS, measure_paired
from edgewright.latency.stopwatch import Stopwatch
from edgewright.spaces import find_space


class Shared:
    """A clock that inferences advance, and a core that others slow for stretches of time."""

    def __init__(self, *, slowness=lambda ms: 1.0, preempted=lambda ms: False):
        self.now_ns, self.cpu_ns, self.switches = 0, 0, 0
        self.slowness, self.preempted = slowness, preempted
        self.log = []

    def run(self, name, ms):
        def infer():
            took = int(ms * 1e6 * self.slowness(self.now_ns / 1e6))
            if self.preempted(self.now_ns / 1e6):
                self.switches += 1
                self.now_ns += 4_000_000  # on the run queue
            self.now_ns += took
            self.cpu_ns += took
            self.log.append(name)

        return infer

    def watch(self, *, cpu=True):
        return Stopwatch(
            clock_ns=lambda: self.now_ns,
            preemptions=lambda: self.switches,
            cpu_clock_ns=(lambda: self.cpu_ns) if cpu else None,
        )


def measure(shared, *ms, reference=2.0, rounds=2, cpu=True):
    runs = [shared.run(str(index), each) for index, each in enumerate(ms)]
    return measure_paired(
        runs,
        shared.run("reference", reference),
        rng=np.random.default_rng(0),
        rounds=rounds,
        watch=shared.watch(cpu=cpu),
    )


def test_every_sample_has_what_the_reference_took_beside_it():
    *found, reference = measure(Shared(), 1.0, 6.0)
    assert [each.warm.median_ms for each in found] == [1.0, 6.0]
    assert all(set(each.beside_ms) == {2.0} and len(each.beside_ms) == each.warm.n for each in found)
    assert reference.warm.median_ms == 2.0
    assert [each.warm.n for each in found] == [2 * TURNS * 4, 2 * TURNS * 2], "long ones get fewer"


def test_the_reference_stands_before_and_after_each_block():
    shared = Shared()
    measure(shared, 5.0, 7.0, rounds=1)
    blocks = [name for i, name in enumerate(shared.log) if i == 0 or shared.log[i - 1] != name]
    visits = blocks[-2 * (2 * TURNS + 1) + 1 :]  # the two visits share no reference but touch each other
    assert visits[::2] == ["reference"] * len(visits[::2])
    assert len([name for name in visits if name in "01"]) == 2 * TURNS


def test_the_ratio_to_the_reference_does_not_see_a_slowed_core():
    def slowness(ms):
        return 1.6 if int(ms / 300) % 2 else 1.0  # slow and fast in turns of 0.3 s

    plain, *_ = measure(Shared(slowness=slowness), 3.0, rounds=8)
    assert np.ptp(plain.warm.samples_ms) > 1
    ratios = np.array(plain.warm.samples_ms) / np.array(plain.beside_ms)
    assert np.median(ratios) == pytest.approx(1.5, rel=1e-3)
    assert np.mean(np.abs(ratios / 1.5 - 1) < 0.01) > 0.8


def test_processor_time_stands_in_for_preempted_calls_and_is_counted():
    found, _ = measure(Shared(preempted=lambda ms: True), 3.0)
    assert found.warm.median_ms == 3.0
    assert found.warm.n_cpu_time == found.warm.n
    assert found.warm.verdict == "noisy"


def test_a_machine_that_leaves_no_call_alone_and_counts_no_processor_time_is_refused():
    with pytest.raises(RuntimeFailureError, match="too busy to measure on"):
        measure(Shared(preempted=lambda ms: True), 3.0, cpu=False)


def test_a_visit_survives_json():
    found, _ = measure(Shared(), 3.0)
    assert Interleaved.from_json(found.to_json()) == found


def test_the_ledger_scales_each_visit_to_what_the_reference_took_in_the_middle_of_the_profile():
    space = find_space("mobilenetv3-small-image@16+24:4")
    small, large = space.smallest(), space.largest()
    ledger = Ledger(taint=0.08)
    for slowness in (1.0, 1.5, 1.0, 1.3, 1.0):
        shared = Shared(slowness=lambda ms, slowness=slowness: slowness)
        *found, _ = measure(shared, 1.0, 6.0)
        ledger.take(
            {
                "kind": "segment",
                "anchor_ms": 2.0 * slowness,
                "anchor_slowed": slowness > 1,
                "reference": "the middle one",
                "visits": [
                    {"subject": subject_to_json(arch), **each.to_json()}
                    for arch, each in zip((small, large), found, strict=True)
                ],
            }
        )
    assert ledger.warm(small).samples_ms == pytest.approx([1.0] * ledger.warm(small).n, rel=1e-3)
    assert ledger.warm(large).samples_ms == pytest.approx([6.0] * ledger.warm(large).n, rel=1e-3)
    assert len(ledger.clean(small)) == 5


def test_what_disturbed_a_sample_is_marked_though_it_is_kept():
    found, _ = measure(Shared(preempted=lambda ms: int(ms / 20) % 2 == 0), 3.0)
    assert len(found.warm.marks) == found.warm.n
    assert set(found.warm.marks) == {".", "1"}
    assert found.warm.marks.count("1") == found.warm.n_cpu_time
    assert len(found.cold.marks) in (0, found.cold.n)


def test_preempted_samples_without_processor_time_are_dropped_and_told():
    found, _ = measure(Shared(preempted=lambda ms: int(ms / 20) % 2 == 0), 3.0, cpu=False)
    assert found.warm.n_dropped == found.warm.dropped.n > 0
    assert set(found.warm.dropped.times_ms()) <= {"1", "r"}
    assert found.warm.marks == ""
    assert Interleaved.from_json(found.to_json()) == found
