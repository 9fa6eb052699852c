"""How fast it is, as ratios: ours and a yardstick in turns, in one run, on one machine."""
