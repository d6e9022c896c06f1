"""The project: what annotators make. Rows in memory, edits that change them, one file that keeps them."""
