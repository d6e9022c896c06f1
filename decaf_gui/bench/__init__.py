"""Performance as ratios measured in one run: what `decaf-gui bench` runs. docs/benchmarks.md has results."""
