"""Entry point of the backend "ttc", which installed packages name and torch looks up."""

from ttc.plugins.torch_backend import ttc_backend

__all__ = ["ttc_backend"]
