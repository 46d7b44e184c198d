"""Measuring latency, keeping it in tables, predicting it from them."""
