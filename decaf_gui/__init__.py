"""DecAF GUI."""
