"""The methods that DecAF is compared with (paper, tables 1, 2 and 9), all through one signature (`methods.METHODS`)."""
