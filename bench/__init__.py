"""What is fast and what is not, as ratios within one run: `make bench`."""
