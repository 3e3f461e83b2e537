# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour and edge of a patch, changed in the compositor at once, without the engine.

All of it multiplies the premultiplied patch. So nothing appears where the patch holds nothing, outside of the matte the frame stays what it is
bit for bit, and with neutral values the patch does, too: x/x, x·1 and x + 0 are exact.
"""

from __future__ import annotations

from typing import Any

from . import build

_LUMA = (0.2126, 0.7152, 0.0722)  # Rec.709, scene-linear
_MOST_MATCH = 4.0
# The patch has a colour wherever it has coverage, but half floats say it roughly where that is next to nothing.
_MOST_GROWN = 50.0


def edge(tree: Any, coverage: Any) -> Any:
    """Inputs Edge and Feather; returns by how much each pixel is to be multiplied.

    The edge cannot grow beyond the soft one that was rendered. Feathering goes inwards: first the matte gives way, then it is blurred.
    """
    grow = build.pixels_input(
        tree, "Edge", -200, 200, "Pixels by which the matte grows, at most over its own soft edge, or shrinks"
    )
    feather = build.pixels_input(tree, "Feather", 0, 200, "Pixels over which the matte fades, inwards from its edge")
    size = build.math(tree, "SUBTRACT", grow, feather)
    moved = build.apply(tree, "CompositorNodeDilateErode", "Steps", coverage, Size=size)
    soft = build.red(tree, build.apply(tree, "CompositorNodeBlur", "Gaussian", moved, Size=feather))
    most = build.math(tree, "MINIMUM", build.math(tree, "MULTIPLY", coverage, _MOST_GROWN), 1.0)
    largest = build.math(tree, "MAXIMUM", most, coverage)
    more = build.math(tree, "SUBTRACT", build.math(tree, "MINIMUM", soft, largest), coverage)
    return build.math(tree, "ADD", build.math(tree, "DIVIDE", more, coverage), 1.0)  # by 0 gives 0


def colour(tree: Any, plate: Any, patch: Any, coverage: Any) -> Any:
    """Inputs Match, Exposure, Saturation and Gain; returns the patch's three channels with them."""
    match = build.number_input(
        tree, "Match", 0, 0, 1, "How far the mean colour of the new face goes to that of the plate below it"
    )
    exposure = build.number_input(tree, "Exposure", 0, -10, 10, "Of the new face (stops)")
    saturation = build.number_input(tree, "Saturation", 1, 0, 4, "Of the new face")
    gain = build.colour_input(tree, "Gain", (1, 1, 1, 1))
    ratios = _ratios(tree, plate, patch, coverage)
    matched = build.vector_math(
        tree,
        "MULTIPLY",
        patch,
        build.joined(
            tree,
            *(
                build.math(tree, "MULTIPLY_ADD", build.math(tree, "SUBTRACT", ratio, 1.0), match, 1.0)
                for ratio in ratios
            ),
        ),
    )
    grey = build.vector_math(tree, "DOT_PRODUCT", matched, _LUMA)
    away = build.vector_math(tree, "SUBTRACT", matched, grey)
    more = build.vector_math(tree, "SCALE", away, build.math(tree, "SUBTRACT", saturation, 1.0))
    coloured = build.vector_math(tree, "ADD", matched, more)
    light = build.vector_math(tree, "SCALE", gain, build.math(tree, "POWER", 2.0, exposure))
    return build.vector_math(tree, "MULTIPLY", coloured, light)


def controlled(tree: Any, plate: Any, picture: Any) -> tuple[Any, Any]:
    """The patch that an Image node reads, with all of these inputs, and its matte."""
    patch, coverage = picture.outputs["Image"], picture.outputs["Alpha"]
    coloured = colour(tree, plate, patch, coverage)
    factor = edge(tree, coverage)
    matte = build.times(tree, coverage, factor)
    shaped = build.vector_math(tree, "SCALE", coloured, factor)
    return build.apply(tree, "CompositorNodeSetAlpha", "Replace Alpha", shaped, Alpha=matte), matte


def _ratios(tree: Any, plate: Any, patch: Any, coverage: Any) -> list[Any]:
    """Plate to patch by their means below the matte, of each channel: of the whole frame's, since outside of it both are 0."""
    below = build.vector_math(tree, "SCALE", plate, coverage)
    above = build.vector_math(tree, "SCALE", patch, 1.0)  # opaque: the mean is of all pixels
    found = []
    for channel in ("Red", "Green", "Blue"):
        means = [build.apply(tree, "CompositorNodeLevels", channel, one) for one in (below, above)]
        ratio = build.math(tree, "DIVIDE", *means)
        ratio = build.math(tree, "MINIMUM", ratio, _MOST_MATCH)
        found.append(build.math(tree, "MAXIMUM", ratio, 1 / _MOST_MATCH))
    return found
