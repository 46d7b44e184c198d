"""Compile a network of a run for a device, and check the file against torch on real images.

1. Extract the subnet with inherited weights and calibrate its BatchNorm; fine-tune it where asked for.
2. Export it beside its place; int8 is calibrated on training images.
3. Run the file on test images and compare with torch; a file that disagrees is deleted.
4. Move it into ``RUN/artifacts/<id>/<device>-<precision>/`` and describe it in ``model.json``.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgewright
from edgewright.backends.parity import ParityReport, check_parity
from edgewright.backends.registry import exporter, runtime
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import MissingExtraError, RunError
from edgewright.files import file_digest, read_json, write_json
from edgewright.pipeline.card import engine_capability, other_card, require_builder
from edgewright.pipeline.front import load_front
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.tables import choose_precision
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.tune import tuned_network, tuning_config
from edgewright.spaces import Architecture
from edgewright.training.config import TrainConfig

if TYPE_CHECKING:
    from torch import nn

    from edgewright.backends.base import Exporter

SCHEMA = 1
N_TEST = 1000  # images that the compiled file is judged on; a per cent of accuracy is ten of them
N_CALIBRATION = 128  # images that int8 ranges are taken from


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What fine-tuning did to a network.

    Attributes:
        epochs: that were trained.
        before: validation top-1 with inherited weights, 0 to 1.
        after: validation top-1 of the epoch that was kept.
    """

    epochs: int
    before: float
    after: float

    def text(self) -> str:
        """Return a line for a terminal."""
        found = f"validation accuracy {self.after:.2%}, {self.before:.2%} before"
        return f"fine-tuned, the best epoch of {self.epochs}: {found}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled network.

    Attributes:
        id: of the network.
        path: the artifact.
        profile: the device that it is for.
        precision: of the artifact.
        parity: how it compares with torch, and both accuracies.
        size_bytes: of the file.
        fine_tuned: what fine-tuning gave; ``None`` where the weights are the supernet's.
    """

    id: str
    path: Path
    profile: DeviceProfile
    precision: str
    parity: ParityReport
    size_bytes: int
    fine_tuned: FineTuned | None = None

    @property
    def manifest(self) -> Path:
        """The description beside the artifact."""
        return self.path.with_suffix(".json")

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "id": self.id,
            "artifact": str(self.path),
            "manifest": str(self.manifest),
            "device": self.profile.name,
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "parity": self.parity.to_json(),
        } | ({} if self.fine_tuned is None else {"fine_tuned": asdict(self.fine_tuned)})

    def text(self) -> str:
        """Return lines for a terminal."""
        p = self.parity
        lines = [f"{self.path}: {self.size_bytes / 1e6:.3f} MB, {self.precision}"]
        if self.fine_tuned is not None:
            lines.append(self.fine_tuned.text())
        if p.accuracy is not None and p.relative is not None and p.top1_agreement is not None:
            lines.append(
                f"against torch on {p.n} test images: {p.status}, largest difference {p.relative:.1e} of the "
                f"range, same class on {p.top1_agreement:.1%}, accuracy {p.accuracy:.2%} "
                f"(torch {p.reference_accuracy:.2%})"
            )
        else:
            lines.append(f"against torch: {p.status}: {p.reason}")
        return "\n".join(lines)


def compile_pick(
    root: Path | str,
    pick: str,
    device: str,
    *,
    precision: str | None = None,
    name: str = "default",
    fine_tune: int = 0,
    progress: Progress = SILENT,
) -> Compiled:
    """Compile a network that a user names.

    Args:
        root: a run folder.
        pick: an id of the run's search, ``smallest`` or ``largest``.
        device: a profile's name, alias or path.
        precision: the profile's first where ``None``.
        name: of the search.
        fine_tune: epochs that the network is trained on alone before; see ``edgewright.training.tuning``.
        progress: told what is done.

    Raises:
        RunError: the run or the network is not there.
        ProfileError: no such device.
        PrecisionError: the device does not offer the precision.
        ParityError: the compiled file disagrees with torch.
    """
    root = Path(root)
    profile = DeviceProfile.find(device)
    chosen = choose_precision(profile, precision)
    trained = TrainedRun.open(root, progress=progress)
    ends = {"smallest": trained.space.smallest, "largest": trained.space.largest}
    if pick in ends:
        arch, label = ends[pick](), pick
    else:
        arch = load_front(root, name).find(pick).architecture
        label = trained.folder.subnet_label(name, pick)
    return compile_architecture(trained, label, arch, profile, chosen, fine_tune=fine_tune, progress=progress)


def compile_architecture(
    trained: TrainedRun,
    subnet: str,
    arch: Architecture,
    profile: DeviceProfile,
    precision: str,
    *,
    fine_tune: int = 0,
    progress: Progress = SILENT,
) -> Compiled:
    """Compile one architecture; a file that is there already and still right is kept.

    Args:
        trained: the run.
        subnet: its id, which names the folder.
        arch: its choices.
        profile: the device.
        precision: one that the device offers.
        fine_tune: epochs that the network is trained on alone before.
        progress: told what is done.

    Raises:
        DeviceUnavailableError: an engine must be built on the device, and that is not this machine.
        ExportError: the backend cannot express the network.
        MissingExtraError: a converter is not installed.
        ParityError: the compiled file disagrees with torch; it is not kept.
    """
    writer = device_exporter(profile)
    config = tuning_config(trained, fine_tune) if fine_tune else None
    subnet = subnet if config is None else f"{subnet}-tuned"
    folder = trained.folder.artifact_folder(subnet, profile.name, precision)
    path = folder / f"model{writer.suffix}"
    key: dict[str, Any] = {
        "encoding": [int(v) for v in trained.space.encode(arch)],
        "space_digest": trained.space.digest,
        "weights": file_digest(trained.folder.weights),
        "precision": precision,
        "compute_capability": profile.compute_capability,
        "edgewright": edgewright.__version__,
    }
    if config is not None:
        key["fine_tuned"] = config.identity()
    if (kept := _kept(path, key)) is not None:
        parity, tuned = kept
        return Compiled(subnet, path, profile, precision, parity, path.stat().st_size, tuned)
    side = arch.resolution
    network, tuned = _network(trained, subnet, arch, config, progress)
    with progress.task(f"compiling network {subnet} for {profile.name}, {precision}"):
        # A folder on the same disk: what fails the check is never seen under its final name.
        fresh = folder / f".{os.getpid()}{writer.suffix}"
        try:
            writer.export(
                network,
                (1, 3, side, side),
                fresh,
                precision=precision,
                calibration=trained.calibration_images(side, N_CALIBRATION) if precision == "int8" else None,
            )
            images, labels = trained.images("test", side, N_TEST)
            parity = _parity(network, profile, fresh, images, labels, precision)
            parity.require(allow_unverified=True)
            # What could not be run names the file by where it will lie.
            parity = replace(parity, reason=parity.reason.replace(str(fresh), str(path)))
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    compiled = Compiled(subnet, path, profile, precision, parity, path.stat().st_size, tuned)
    write_json(compiled.manifest, _manifest(compiled, trained, arch, key))
    return compiled


def _network(
    trained: TrainedRun, label: str, arch: Architecture, config: TrainConfig | None, progress: Progress
) -> tuple[nn.Module, FineTuned | None]:
    if config is None:
        return trained.network(arch), None
    tuned = tuned_network(trained, label, arch, config, progress=progress)
    return tuned.network, FineTuned(config.epochs, tuned.before.top1, tuned.after.top1)


def device_exporter(profile: DeviceProfile) -> Exporter:
    """Return the exporter of a device's runtime, aimed at its card if it has one.

    Raises:
        DeviceUnavailableError: an engine must be built on the device, and that is not this machine.
        ProfileError: the profile does not say what card it is.
        MissingExtraError: a converter is not installed.
    """
    require_builder(profile)
    if card := engine_capability(profile):
        return exporter(profile.runtime, compute_capability=card)
    return exporter(profile.runtime)


def _parity(
    network: Any, profile: DeviceProfile, path: Path, images: Any, labels: Any, precision: str
) -> ParityReport:
    n = len(images)
    if here := other_card(profile):
        reason = f"{path} is for compute capability {profile.compute_capability}, the GPU here has {here}"
        return ParityReport(status="not verified", precision=precision, n=n, reason=reason)
    try:
        engine = runtime(profile.runtime)
    except MissingExtraError as error:  # converters may be installed where the runtime is not
        return ParityReport(status="not verified", precision=precision, n=n, reason=str(error))
    return check_parity(
        network, engine, path, images, labels=labels, precision=precision, threads=profile.threads
    )


def _kept(path: Path, key: dict[str, Any]) -> tuple[ParityReport, FineTuned | None] | None:
    """Return what is known of an artifact that was made from the same inputs and is unharmed."""
    manifest = path.with_suffix(".json")
    if not (path.is_file() and manifest.is_file()):
        return None
    try:
        old = read_json(manifest, what="manifest", mend="compile again", error=RunError)
        same = old["key"] == key and old["sha256"] == file_digest(path)
        tuned = old.get("fine_tuned")
        found = ParityReport(**old["parity"]), None if tuned is None else FineTuned(**tuned)
        return found if same else None
    except (RunError, KeyError, TypeError):
        return None  # harmed: it is compiled anew


def _manifest(
    compiled: Compiled, trained: TrainedRun, arch: Architecture, key: dict[str, Any]
) -> dict[str, Any]:
    data = trained.data
    return {
        "schema": SCHEMA,
        "key": key,
        "id": compiled.id,
        "file": compiled.path.name,
        "sha256": file_digest(compiled.path),
        "size_bytes": compiled.size_bytes,
        "device": compiled.profile.name,
        "runtime": compiled.profile.runtime,
        "precision": compiled.precision,
        "space": trained.space.name,
        "architecture": arch.to_json(),
        "input": {
            "layout": "NHWC" if compiled.profile.runtime == "litert" else "NCHW",
            "shape": [1, 3, arch.resolution, arch.resolution],
            "dtype": "float32",
            "range": "RGB / 255, less mean, over std",
            "mean": list(data.mean),
            "std": list(data.std),
        },
        "classes": list(data.classes),
        "parity": compiled.parity.to_json(),
    } | ({} if compiled.fine_tuned is None else {"fine_tuned": asdict(compiled.fine_tuned)})
