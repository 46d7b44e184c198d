"""TensorRT and TensorRT-RTX: NVIDIA GPUs."""
