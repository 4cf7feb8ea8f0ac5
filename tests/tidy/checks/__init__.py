"""The checks of tests/tidy. Each module has `check(tree)`, which yields findings."""
