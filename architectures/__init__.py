"""The few networks of our own, registered with timm: importing this package is enough for `timm.create_model` to know them.

A leaf package: it knows timm and torch and nothing else here. Training and export import it.
"""

from architectures import dense_head, small_cnn

__all__ = ["dense_head", "small_cnn"]
