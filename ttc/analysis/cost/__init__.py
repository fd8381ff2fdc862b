"""Predicted device time: formulas by family of ops, constants fitted to published times, and the price of a call."""

from ttc.analysis.cost.call_work import fidelity
from ttc.analysis.cost.price import DISPATCH, Cost, cost, tile_products, traffic

__all__ = ["DISPATCH", "Cost", "cost", "fidelity", "tile_products", "traffic"]
