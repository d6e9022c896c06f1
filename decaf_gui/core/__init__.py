"""What exists, without models or windows: clips, masks, expressions, tracklets, events."""
