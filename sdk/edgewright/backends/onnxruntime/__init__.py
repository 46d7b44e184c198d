"""ONNX Runtime: CPUs of every kind."""

import os

# Its official builds report to Microsoft since 1.29, beyond Windows too: they keep a database open below
# ~/.cache/Microsoft and have a thread that sends it. Only the environment at the time of the import keeps
# both from being made (`onnxruntime.disable_telemetry_events` comes too late). A measuring tool wants
# neither; a user who has set the variable is not overruled.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
