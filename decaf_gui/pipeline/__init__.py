"""Both halves put together: the engine, its settings, the models, what this machine has."""
