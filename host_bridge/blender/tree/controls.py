# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour and edge of a patch, changed in the compositor at once, without the engine.

All of it multiplies the premultiplied patch. So an empty patch stays empty, the frame outside of the matte stays the same
bit for bit, and with neutral values the patch does, too: x/x, x·1 and x + 0 are exact.
"""

from __future__ import annotations

from typing import Any

from . import group

_LUMA = (0.2126, 0.7152, 0.0722)  # Rec.709, scene-linear
_MOST_MATCH = 4.0
# The patch has a colour wherever it has coverage, but in half floats it is rough at very low coverage.
_MOST_GROWN = 50.0


def edge(tree: Any, coverage: Any) -> Any:
    """Add the inputs Edge and Feather; returns the factor of each pixel.

    The edge cannot grow beyond the soft one that was rendered. Feathering goes inwards: the matte is shrunk, then blurred.
    """
    grow = group.pixels_input(
        tree, "Edge", -200, 200, "Pixels by which the matte grows, at most over its own soft edge, or shrinks"
    )
    feather = group.pixels_input(tree, "Feather", 0, 200, "Pixels over which the matte fades, inwards from its edge")
    size = group.math(tree, "SUBTRACT", grow, feather)
    resized = group.apply(tree, "CompositorNodeDilateErode", "Steps", coverage, Size=size)
    soft = group.red(tree, group.apply(tree, "CompositorNodeBlur", "Gaussian", resized, Size=feather))
    most = group.math(tree, "MINIMUM", group.math(tree, "MULTIPLY", coverage, _MOST_GROWN), 1.0)
    largest = group.math(tree, "MAXIMUM", most, coverage)
    more = group.math(tree, "SUBTRACT", group.math(tree, "MINIMUM", soft, largest), coverage)
    return group.math(tree, "ADD", group.math(tree, "DIVIDE", more, coverage), 1.0)  # by 0 gives 0


def colour(tree: Any, plate: Any, patch: Any, coverage: Any) -> Any:
    """Add the inputs Match, Exposure, Saturation and Gain; returns the patch's three channels with them."""
    match = group.number_input(
        tree, "Match", 0, 0, 1, "How far the mean color of the new face goes to that of the plate below it"
    )
    exposure = group.number_input(tree, "Exposure", 0, -10, 10, "Of the new face (stops)")
    saturation = group.number_input(tree, "Saturation", 1, 0, 4, "Of the new face")
    gain = group.colour_input(tree, "Gain", (1, 1, 1, 1))
    ratios = _ratios(tree, plate, patch, coverage)
    matched = group.vector_math(
        tree,
        "MULTIPLY",
        patch,
        group.joined(
            tree,
            *(
                group.math(tree, "MULTIPLY_ADD", group.math(tree, "SUBTRACT", ratio, 1.0), match, 1.0)
                for ratio in ratios
            ),
        ),
    )
    grey = group.vector_math(tree, "DOT_PRODUCT", matched, _LUMA)
    away = group.vector_math(tree, "SUBTRACT", matched, grey)
    more = group.vector_math(tree, "SCALE", away, group.math(tree, "SUBTRACT", saturation, 1.0))
    saturated = group.vector_math(tree, "ADD", matched, more)
    light = group.vector_math(tree, "SCALE", gain, group.math(tree, "POWER", 2.0, exposure))
    return group.vector_math(tree, "MULTIPLY", saturated, light)


def controlled(tree: Any, plate: Any, picture: Any) -> tuple[Any, Any]:
    """Return the patch of an Image node, with all of these inputs, and its matte."""
    patch, coverage = picture.outputs["Image"], picture.outputs["Alpha"]
    graded = colour(tree, plate, patch, coverage)
    factor = edge(tree, coverage)
    matte = group.times(tree, coverage, factor)
    edged = group.vector_math(tree, "SCALE", graded, factor)
    return group.apply(tree, "CompositorNodeSetAlpha", "Replace Alpha", edged, Alpha=matte), matte


def _ratios(tree: Any, plate: Any, patch: Any, coverage: Any) -> list[Any]:
    """Return the ratio of plate to patch for each channel, from their means below the matte; both are 0 outside of it."""
    below = group.vector_math(tree, "SCALE", plate, coverage)
    above = group.vector_math(tree, "SCALE", patch, 1.0)  # opaque: the mean is of all pixels
    ratios = []
    for channel in ("Red", "Green", "Blue"):
        means = [group.apply(tree, "CompositorNodeLevels", channel, picture) for picture in (below, above)]
        ratio = group.math(tree, "DIVIDE", *means)
        ratio = group.math(tree, "MINIMUM", ratio, _MOST_MATCH)
        ratios.append(group.math(tree, "MAXIMUM", ratio, 1 / _MOST_MATCH))
    return ratios
