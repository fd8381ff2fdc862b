"""Where torch looks for the backend "ttc": the entry point that installed packages name."""

from ttc.plugins.torch_backend import ttc_backend

__all__ = ["ttc_backend"]
