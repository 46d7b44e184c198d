"""ONNX Runtime: CPUs of every kind."""
