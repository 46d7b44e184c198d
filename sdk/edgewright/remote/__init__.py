"""Devices that OpenSSH reaches: connecting, asking the agent there, and measuring through it."""
