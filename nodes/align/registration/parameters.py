"""The parameters of alignment to a reference picture, which stand beside those of the nodes."""

from nodes.definitions import RegisterParameters, Registrar, Transform

__all__ = ["RegisterParameters", "Registrar", "Transform"]
