"""What a user may choose about an adoption, checked when it is chosen."""

from dataclasses import dataclass, field, replace

from seenn_convert.choices import READOUT_NAMES, Precision, Readout, unknown
from seenn_convert.errors import refuse
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.scores import ExitScore
from seenn_convert.workflows.convert.options import Default, Options

OF_EXITS = ("target", "certify", "calibration_images", "seed")
"""The options of a conversion that decide about the exits of a network that stays as it is."""

DEFAULT_TIMESTEPS = Default(4)


@dataclass(frozen=True)
class AdoptOptions:
    """How to adopt a network that was trained as a spiking one.

    Attributes:
        timesteps: The longest run T, usually that of the training; by default 4, or for recordings as many as they have
            frames.
        readout: What the logits are: the ``"mean"`` over the timesteps of what the network returns, the ``"last"`` of
            it, or the last ``"membrane"`` potential of the neurons that it ends in.
        target: What early exit has to reach on the held-out part of the images. None is a drop of 0.5 points against
            all timesteps, or with ``certify`` whatever that allows.
        certify: What to certify; nothing if None.
        score: What decides about leaving: a name, or an ``ExitScore`` of your own.
        calibration_images: How many of the images are used; of more, so many are drawn. 0 for all.
        batch_size: Images that run together.
        device: Where to run.
        seed: Of the draw and the split of the images.
        precision: What convolutions and linear layers of a timestep compute in; exits are fitted to it.

    Raises:
        InputError: Lists every option that makes no sense.
    """

    timesteps: int = DEFAULT_TIMESTEPS
    readout: Readout = "mean"
    target: ExitTarget | None = None
    certify: Certify | None = None
    score: ExitScore | str = "confidence"
    calibration_images: int = 1000
    batch_size: int = 128
    device: str = "cpu"
    seed: int = 0
    precision: Precision = "float32"
    exits: Options = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check all options at once."""
        refuse(unknown("readout", self.readout, READOUT_NAMES))
        exits = Options(
            timesteps=self.timesteps, neuron="if", target=self.target, certify=self.certify,
            score=self.score,  # type: ignore[arg-type]
            calibration_images=self.calibration_images, batch_size=self.batch_size, device=self.device, seed=self.seed,
            front="none", encode="never", calibration="fast", correction="none", precision=self.precision,
        )  # fmt: skip
        object.__setattr__(self, "exits", exits)

    def to_json(self) -> dict[str, object]:
        """Return what decides about the result, as plain data."""
        exits = self.exits.to_json()
        return {"readout": self.readout, **{name: exits[name] for name in ("timesteps", "score", *OF_EXITS)}}

    def for_frames(self, frames: int | None) -> "AdoptOptions":
        """Return the options for recordings of so many ``frames``, None for images; timesteps asked for stay."""
        return replace(self, timesteps=int(self.exits.for_frames(frames).timesteps))
