"""Training a supernet so that its subnets need no training of their own."""
