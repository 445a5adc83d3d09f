"""What the DAG files share: assets, policy, the interval of a run, the build-and-publish group."""
