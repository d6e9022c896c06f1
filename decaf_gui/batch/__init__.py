"""Pre-labelling of whole datasets: work list, sources, what a worker does with a clip, runners, coordinator."""
