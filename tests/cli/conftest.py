from doubles.chain_fixtures import (  # noqa: F401
    brisk,
    chain,
    edgewright,
    energy_tables,
    one_thread,
    own_run,
    powered,
    trained_only,
)
from doubles.ssh_fixtures import bare_python, device, device_at  # noqa: F401
