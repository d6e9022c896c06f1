"""The shapes world, the two small models trained on it, and their scores."""
