"""Dataset formats: one module each with a writer, a reader or both, behind one interface; a registry."""
