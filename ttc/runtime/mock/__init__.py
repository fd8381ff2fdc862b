"""A card without hardware: all that the genuine `ttnn` needs to open a mock device without card or toolchain.

On a mock device TTNN checks arguments, infers results, allocates and sizes circular buffers as on a card, but nothing
computes. `environment(target)`, or `environment_of(descriptor)`, gives the variables to set before `import ttnn`.
"""

from ttc.runtime.mock.environment import MOCK_CARD, environment, environment_of

__all__ = ["MOCK_CARD", "environment", "environment_of"]
