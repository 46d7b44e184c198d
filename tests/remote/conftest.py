from doubles.ssh_fixtures import bare_python, device, device_at  # noqa: F401
