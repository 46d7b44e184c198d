"""What runs on a device that is reached over ssh: the standard library, numpy and the runtime."""
