"""TTNN's calls: one frozen dataclass a call, with TTNN's own names; imports neither torch nor ttnn."""
