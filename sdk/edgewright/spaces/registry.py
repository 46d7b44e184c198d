"""The spaces that have a name, and the one way to read a name."""

from __future__ import annotations

from edgewright.errors import SpaceError
from edgewright.spaces.mobile import MobileSpace, Stage
from edgewright.spaces.operator import make_divisible


def _ofa_mobilenetv3(name: str, width_mult: float) -> MobileSpace:
    """Return OFA's own MobileNetV3 space: its widths, strides, activations and SE by stage."""
    widths = [make_divisible(w * width_mult) for w in (16, 16, 24, 40, 80, 112, 160, 960, 1280)]
    strides = (2, 2, 2, 1, 2)
    acts = ("relu", "relu", "h_swish", "h_swish", "h_swish")
    se = (False, True, False, True, True)
    return MobileSpace(
        base_name=name,
        stem_width=widths[0],
        stem_stride=2,
        stages=tuple(Stage(*row) for row in zip(widths[2:7], strides, acts, se, strict=True)),
        final_width=widths[7],
        hidden_width=widths[8],
        resolutions=tuple(range(128, 225, 4)),
    )


def _small_image() -> MobileSpace:
    """Return a space for images of 16 to 64 pixels, at most about 30 M MACs."""
    return MobileSpace(
        base_name="mobilenetv3-small-image",
        stem_width=16,
        stem_stride=2,
        stages=(
            Stage(16, 2, "relu", False),
            Stage(32, 2, "h_swish", True),
            Stage(56, 1, "h_swish", True),
        ),
        final_width=256,
        hidden_width=320,
        resolutions=(16, 24, 32, 40, 48, 56, 64),
        n_classes=10,
    )


SPACES: dict[str, MobileSpace] = {
    space.base_name: space
    for space in (
        _ofa_mobilenetv3("mobilenetv3-w1.0", 1.0),
        _ofa_mobilenetv3("mobilenetv3-w1.2", 1.2),
        _small_image(),
    )
}


def list_spaces() -> tuple[str, ...]:
    """Return the names of the known spaces."""
    return tuple(SPACES)


def find_space(spec: str, *, n_classes: int | None = None) -> MobileSpace:
    """Return the space that ``NAME``, ``NAME@R1+R2+…`` or ``NAME@R1+R2:CLASSES`` means.

    Args:
        spec: a name of :data:`SPACES`, optionally with the resolutions to keep and the number of
            classes: ``mobilenetv3-small-image@16+24:100``.
        n_classes: outputs of the classifier; it wins over what ``spec`` says.

    Raises:
        SpaceError: the name, a resolution or the number of classes is unknown or unreadable.
    """
    rest, colon, classes = spec.partition(":")
    name, at, kept = rest.partition("@")
    if name not in SPACES:
        raise SpaceError(f"unknown space {name!r}; known spaces: {', '.join(SPACES)}")
    space = SPACES[name]
    example = f"{name}@{'+'.join(map(str, space.resolutions[:2]))}:{space.n_classes}"
    try:
        resolutions = [int(part) for part in kept.split("+")] if at else list(space.resolutions)
        wanted = int(classes) if colon else space.n_classes
    except ValueError as error:
        raise SpaceError(f"cannot read the space {spec!r}; write it as {example}") from error
    return space.restrict(resolutions).with_classes(wanted if n_classes is None else n_classes)
