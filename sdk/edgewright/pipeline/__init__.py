"""The composition root: the only package that puts the parts together, one module a verb."""
