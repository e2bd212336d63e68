"""bundlectl: plans, deploys and runs jobs that are kept as YAML bundles in git."""

__version__ = "0.1.0"
