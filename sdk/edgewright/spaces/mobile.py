"""The OFA-MobileNetV3 family of search spaces (Once-for-All, arXiv:1908.09791, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import ArchitectureError, SpaceError
from edgewright.files import digest_of
from edgewright.spaces.architecture import Architecture, IntArray, neighbours_of
from edgewright.spaces.mobile_costs import MobileCostTable, active_slots
from edgewright.spaces.operator import Operator, make_divisible


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of blocks of one width.

    Attributes:
        width: output channels.
        stride: of the first block; the others have 1.
        act: ``relu`` or ``h_swish``.
        se: whether its blocks have squeeze-and-excitation.
    """

    width: int
    stride: int
    act: str
    se: bool


@dataclass(frozen=True)
class MobileSpace:
    """Networks of inverted residual blocks with elastic resolution, depth, kernel and expansion.

    An encoding is ``[resolution, depth of each stage, kernel of each slot, expansion of each
    slot]`` as choice indices; 46 variables for OFA's own spaces. Slots beyond their stage's depth
    encode as 0, so equal subnets share one encoding.

    Attributes:
        base_name: name without restriction.
        stem_width: channels of the stem and of the first, inelastic block.
        stem_stride: stride of the stem.
        stages: the elastic stages.
        final_width: channels of the head's first convolution.
        hidden_width: channels before the classifier.
        resolutions: choices of the input's side, in pixels, ascending.
        depths: choices of a stage's active blocks, ascending.
        kernel_sizes: choices of the depthwise kernel, ascending.
        expands: choices of the expansion ratio, ascending.
        n_classes: outputs of the classifier.
        all_resolutions: the choices before :meth:`restrict`.
        default_classes: the classes before :meth:`with_classes`.
        version: raised when the same name starts to mean other networks.
    """

    base_name: str
    stem_width: int
    stem_stride: int
    stages: tuple[Stage, ...]
    final_width: int
    hidden_width: int
    resolutions: tuple[int, ...]
    depths: tuple[int, ...] = (2, 3, 4)
    kernel_sizes: tuple[int, ...] = (3, 5, 7)
    expands: tuple[int, ...] = (3, 4, 6)
    n_classes: int = 1000
    all_resolutions: tuple[int, ...] = ()
    default_classes: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        if not self.all_resolutions:
            object.__setattr__(self, "all_resolutions", self.resolutions)
        if not self.default_classes:
            object.__setattr__(self, "default_classes", self.n_classes)
        for name in ("resolutions", "depths", "kernel_sizes", "expands"):
            choices = getattr(self, name)
            if not choices or list(choices) != sorted(set(choices)) or min(choices) < 1:
                raise SpaceError(f"{name} of a space must be ascending positive integers, got {choices}")
        if any(k % 2 == 0 for k in self.kernel_sizes):
            raise SpaceError(f"kernel_sizes must be odd, got {self.kernel_sizes}")
        if not self.stages:
            raise SpaceError("a space needs at least one stage")
        if self.n_classes < 2:
            raise SpaceError(f"a space needs at least two classes, got {self.n_classes}")

    @property
    def name(self) -> str:
        """Name as :func:`edgewright.spaces.find_space` reads it: ``base@R1+R2:CLASSES``."""
        kept = "" if self.resolutions == self.all_resolutions else "@" + "+".join(map(str, self.resolutions))
        return (
            self.base_name + kept + ("" if self.n_classes == self.default_classes else f":{self.n_classes}")
        )

    @property
    def slug(self) -> str:
        """The name in a form that every file system takes."""
        return self.name.replace(":", "-classes")

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides which networks exist."""
        return digest_of(
            [self.base_name, self.version, self.stem_width, self.stem_stride]
            + [[s.width, s.stride, s.act, s.se] for s in self.stages]
            + [self.final_width, self.hidden_width, self.resolutions, self.depths]
            + [self.kernel_sizes, self.expands, self.n_classes]
        )

    def restrict(self, resolutions: Sequence[int]) -> MobileSpace:
        """Return the space with fewer resolutions. Raises ``SpaceError`` for unknown ones."""
        if unknown := sorted(set(resolutions) - set(self.all_resolutions)):
            raise SpaceError(
                f"{self.base_name} has no resolution {unknown}; its resolutions are "
                f"{list(self.all_resolutions)}"
            )
        return replace(self, resolutions=tuple(sorted(set(resolutions))))

    def with_classes(self, n_classes: int) -> MobileSpace:
        """Return the space with another classifier. Raises ``SpaceError`` below two classes."""
        return replace(self, n_classes=n_classes)

    @property
    def max_depth(self) -> int:
        """Block slots of each stage."""
        return self.depths[-1]

    @property
    def n_slots(self) -> int:
        """Block slots of all stages."""
        return len(self.stages) * self.max_depth

    @cached_property
    def n_choices(self) -> IntArray:
        """Choices of each variable, ``(1 + n_stages + 2 * n_slots,)``."""
        return np.array(
            [len(self.resolutions)]
            + [len(self.depths)] * len(self.stages)
            + [len(self.kernel_sizes)] * self.n_slots
            + [len(self.expands)] * self.n_slots,
            dtype=np.int64,
        )

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of an encoding."""
        slots = [(s + 1, b + 1) for s in range(len(self.stages)) for b in range(self.max_depth)]
        return (
            "resolution",
            *(f"depth of stage {s + 1}" for s in range(len(self.stages))),
            *(f"kernel of block {s}.{b}" for s, b in slots),
            *(f"expansion of block {s}.{b}" for s, b in slots),
        )

    def encode(self, arch: Architecture) -> IntArray:
        """Return the canonical encoding, ``(n_var,)``. Raises ``ArchitectureError``."""
        lengths = (len(arch.depths), len(arch.kernel_sizes), len(arch.expands))
        wanted = (len(self.stages), self.n_slots, self.n_slots)
        if lengths != wanted:
            raise ArchitectureError(
                f"an architecture of {self.name} has {wanted} depths, kernels and expansions, got {lengths}"
            )
        values = (arch.resolution, *arch.depths, *arch.kernel_sizes, *arch.expands)
        choices = (
            [self.resolutions]
            + [self.depths] * len(self.stages)
            + [self.kernel_sizes] * self.n_slots
            + [self.expands] * self.n_slots
        )
        faults = [
            f"{name} is one of {allowed}, got {value}"
            for name, value, allowed in zip(self.variables, values, choices, strict=True)
            if value not in allowed
        ]
        if faults:
            raise ArchitectureError(f"not an architecture of {self.name}: " + "; ".join(faults))
        x = np.array([c.index(v) for c, v in zip(choices, values, strict=True)], dtype=np.int64)
        canonical: IntArray = self.repair(x[None])[0]
        return canonical

    def decode(self, x: Sequence[int] | IntArray) -> Architecture:
        """Return the architecture of an encoding ``(n_var,)``. Raises ``ArchitectureError``."""
        codes = np.asarray(x)
        if codes.shape != self.n_choices.shape or not np.issubdtype(codes.dtype, np.integer):
            raise ArchitectureError(
                f"an encoding of {self.name} is {len(self.n_choices)} integers, "
                f"got {codes.dtype} {codes.shape}"
            )
        if bool(((codes < 0) | (codes >= self.n_choices)).any()):
            bad = int(np.flatnonzero((codes < 0) | (codes >= self.n_choices))[0])
            raise ArchitectureError(
                f"variable {bad} ({self.variables[bad]}) of {self.name} lies in "
                f"[0, {self.n_choices[bad]}), got {codes[bad]}"
            )
        codes = self.repair(codes[None].astype(np.int64))[0]
        depths, kernels, expands = np.split(codes[1:], [len(self.stages), len(self.stages) + self.n_slots])
        return Architecture(
            resolution=self.resolutions[int(codes[0])],
            depths=tuple(self.depths[i] for i in depths),
            kernel_sizes=tuple(self.kernel_sizes[i] for i in kernels),
            expands=tuple(self.expands[i] for i in expands),
        )

    def active_slots(self, X: IntArray) -> NDArray[np.bool_]:
        """Return which slots of each row of ``X`` are built, ``(n, n_slots)``."""
        return active_slots(X[:, 1 : 1 + len(self.stages)], self.depths, self.max_depth)

    def repair(self, X: IntArray) -> IntArray:
        """Return ``X`` ``(n, n_var)`` with inactive slots set to 0."""
        X = np.array(X, dtype=np.int64)
        start = 1 + len(self.stages)
        X[:, start:] *= np.tile(self.active_slots(X), 2)
        return X

    def sample(self, rng: np.random.Generator, n: int) -> IntArray:
        """Return ``n`` random canonical encodings, ``(n, n_var)``; depths are uniform."""
        return self.repair(rng.integers(0, self.n_choices, size=(n, len(self.n_choices))))

    def neighbours(self, x: IntArray) -> IntArray:
        """Return every network that one changed choice makes of ``x`` ``(n_var,)``, ``(m, n_var)``."""
        return neighbours_of(self, x)

    def smallest(self) -> Architecture:
        """Return the network with the least of every elastic dimension."""
        return self.decode(np.zeros_like(self.n_choices))

    def largest(self) -> Architecture:
        """Return the network with the most of every elastic dimension."""
        return self.decode(self.n_choices - 1)

    def operators(self, arch: Architecture) -> tuple[Operator, ...]:
        """Return the subnet's operators in order of execution. Raises ``ArchitectureError``."""
        arch = self.decode(self.encode(arch))
        resolution = arch.resolution
        result = [self.stem(resolution), self.first_block(resolution)]
        for stage, depth in enumerate(arch.depths):
            for block in range(depth):
                slot = stage * self.max_depth + block
                result.append(self.block(slot, resolution, arch.kernel_sizes[slot], arch.expands[slot]))
        return (*result, self.head(resolution))

    def all_operators(self) -> tuple[Operator, ...]:
        """Return every distinct operator of the space, sorted."""
        found: set[Operator] = set()
        for resolution in self.resolutions:
            found |= {self.stem(resolution), self.first_block(resolution), self.head(resolution)}
            found |= {
                self.block(slot, resolution, kernel, expand)
                for slot in range(self.n_slots)
                for kernel in self.kernel_sizes
                for expand in self.expands
            }
        return tuple(sorted(found))

    def tabulate(self, cost: Callable[[Operator], float]) -> MobileCostTable:
        """Return the additive cost of every network; ``cost`` is asked once an operator."""
        memo = {operator: float(cost(operator)) for operator in self.all_operators()}
        fixed = np.array(
            [memo[self.stem(r)] + memo[self.first_block(r)] + memo[self.head(r)] for r in self.resolutions]
        )
        blocks = np.array(
            [
                [
                    [[memo[self.block(s, r, k, e)] for e in self.expands] for k in self.kernel_sizes]
                    for s in range(self.n_slots)
                ]
                for r in self.resolutions
            ]
        )
        return MobileCostTable(fixed, blocks, self.depths, self.max_depth)

    def stem(self, resolution: int) -> Operator:
        """Return the first convolution."""
        return Operator(
            "stem", resolution, 3, 0, 0, self.stem_width, 3, self.stem_stride, False, "h_swish", False
        )

    def first_block(self, resolution: int) -> Operator:
        """Return the inelastic block without expansion that follows the stem."""
        width = self.stem_width
        return Operator(
            "mbconv", self.stem(resolution).out_size, width, width, 0, width, 3, 1, False, "relu", True
        )

    def block(self, slot: int, resolution: int, kernel_size: int, expand: int) -> Operator:
        """Return the block in a slot, ``0 <= slot < n_slots``."""
        index, position = divmod(slot, self.max_depth)
        size, in_channels = self.stem(resolution).out_size, self.stem_width
        for earlier in self.stages[:index]:
            size, in_channels = -(-size // earlier.stride), earlier.width
        stage, stride = self.stages[index], self.stages[index].stride
        if position > 0:
            size, in_channels, stride = -(-size // stride), stage.width, 1
        return Operator(
            kind="mbconv",
            in_size=size,
            in_channels=in_channels,
            mid_channels=make_divisible(round(in_channels * expand)),
            hidden_channels=0,
            out_channels=stage.width,
            kernel_size=kernel_size,
            stride=stride,
            se=stage.se,
            act=stage.act,
            residual=stride == 1 and in_channels == stage.width,
        )

    def head(self, resolution: int) -> Operator:
        """Return the head, from the last stage's output to the logits."""
        size = self.stem(resolution).out_size
        for stage in self.stages:
            size = -(-size // stage.stride)
        return Operator(
            kind="head",
            in_size=size,
            in_channels=self.stages[-1].width,
            mid_channels=self.final_width,
            hidden_channels=self.hidden_width,
            out_channels=self.n_classes,
            kernel_size=1,
            stride=1,
            se=False,
            act="h_swish",
            residual=False,
        )
