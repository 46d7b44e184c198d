from doubles.chain_fixtures import brisk, chain, edgewright, one_thread, own_run, trained_only  # noqa: F401
