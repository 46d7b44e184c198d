from doubles.chain_fixtures import (  # noqa: F401
    brisk,
    chain,
    edgewright,
    energy_tables,
    own_run,
    powered,
    tables,
    trained_only,
)
from doubles.ssh_fixtures import bare_python, device, device_at  # noqa: F401
from doubles.torch_fixtures import one_thread  # noqa: F401
