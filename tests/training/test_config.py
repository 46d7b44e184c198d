import pytest

from edgewright.errors import UsageError
from edgewright.training import TrainConfig
from edgewright.training.schedule import warmup_cosine


def test_every_fault_is_named_at_once():
    with pytest.raises(UsageError) as caught:
        TrainConfig(recipe="magic", epochs=0, batch_size=1, lr=-1.0)
    for word in ("recipe", "epochs", "batch_size", "lr"):
        assert word in str(caught.value)


def test_settings_that_do_not_decide_the_weights_are_no_part_of_the_identity():
    assert TrainConfig(threads=1, tensorboard=True).identity() == TrainConfig(evaluate_every=5).identity()


def test_a_default_spelt_out_is_the_same_run():
    assert TrainConfig(lr=0.1).identity() == TrainConfig().identity()


def test_the_learning_rate_rises_then_falls_to_zero():
    values = [warmup_cosine(i / 10, length=10, warmup=1) for i in range(101)]
    assert values[0] == 0
    assert values[10] == 1
    assert values[100] == pytest.approx(0)
    assert values[:11] == sorted(values[:11])
    assert values[10:] == sorted(values[10:], reverse=True)


def test_a_short_schedule_warms_up_for_a_fifth_of_it_at_most():
    assert warmup_cosine(0.2, length=1, warmup=1) == 1
