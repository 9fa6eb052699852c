"""The simulated model: a Turn and a seed in, a Reply out. `model` is its front; nothing here knows a wire."""
