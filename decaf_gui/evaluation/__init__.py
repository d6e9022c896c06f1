"""How good masks are: J, F, J&F."""
