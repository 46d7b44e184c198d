from doubles.chain_fixtures import brisk, chain, edgewright, one_thread, own_run, trained_only  # noqa: F401
from doubles.ssh_fixtures import bare_python, device, device_at  # noqa: F401
