"""Backends: each turns a subnet into a file for a vendor's runtime, and runs that file."""
