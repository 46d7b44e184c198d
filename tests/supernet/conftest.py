from doubles.torch_fixtures import one_thread, rng  # noqa: F401
