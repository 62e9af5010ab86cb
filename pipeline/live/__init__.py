"""The live page: what the fleet does with its packets, second by second, from the store."""

from pipeline.live.options import LiveOptions
from pipeline.live.routes import add_routes

__all__ = ["LiveOptions", "add_routes"]
