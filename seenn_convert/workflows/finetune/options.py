"""What a user may choose about fine-tuning, checked when it is chosen."""

from dataclasses import dataclass

from seenn_convert import choices
from seenn_convert.devices import check_device
from seenn_convert.errors import refuse


@dataclass(frozen=True)
class FinetuneOptions:
    """How to fine-tune a converted network.

    Attributes:
        timesteps: The longest run T of the result, at most that of the artifact; that of the artifact where None.
        objective: What training brings the answers closer to: ``"prefixes"``, the ANN's at every prefix of the run, by
            the share of images that leaves there; ``"labels"``, the labels at every timestep; ``"temporal"``, labels,
            ANN and the network's own right timesteps; ``"mixed"``, the first with labels.
        use_labels: Whether labels are read, where there are any; else the ANN's answers stand in for them.
        quantised_share: Share of the time, or of the epochs, that trains the ANN with its activations quantised to at
            most T levels (QCFS), before the rest trains through time; 0 or 1 for one of them alone.
        leak: Whether binary neurons become leaky ones (LIF) whose leak is learned.
        spike_penalty: What sending every spike, measured by the operations that spikes cause, counts in the loss; 0
            for nothing.
        minutes: About how long training takes: the number of updates follows from how long the first ones take.
        epochs: How often each image serves, instead of a time.
        learning_rate: The largest one, relative to the size of what is learned.
        batch_size: Images in an update.
        mirror: Whether pictures are mirrored half the time.
        precision: ``"float32"``, or ``"bfloat16"`` for convolutions and linear layers in training.
        recompute: Whether activations are computed again backwards, so that memory does not grow with T.
        held_out: Images that train nothing but fit the exits, if there are no exit images.
        device: Where to train.
        seed: Of the order of the images, their moves, and the images held out.

    Raises:
        InputError: An option is out of range or unknown; lists every such option.
    """

    timesteps: int | None = None
    objective: choices.Objective = "prefixes"
    use_labels: bool = True
    quantised_share: float = 0.0
    leak: bool = False
    spike_penalty: float = 0.0
    minutes: float = 30.0
    epochs: float | None = None
    learning_rate: float = 1e-2
    batch_size: int = 128
    mirror: bool = True
    precision: choices.Precision = "float32"
    recompute: bool = False
    held_out: int = 2000
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        problems = choices.settle_numbers(
            self,
            timesteps=choices.Range(least=1, whole=True, optional=True),
            quantised_share=choices.Range(least=0, most=1),
            spike_penalty=choices.Range(least=0),
            minutes=choices.Range(above=0),
            epochs=choices.Range(above=0, optional=True),
            learning_rate=choices.Range(above=0, most=1),
            batch_size=choices.COUNT,
            held_out=choices.Range(least=3, whole=True),
            seed=choices.SEED,
        )
        problems += choices.unknown("objective", self.objective, choices.OBJECTIVE_NAMES)
        problems += choices.unknown("precision", self.precision, choices.PRECISION_NAMES)
        refuse(problems)
        check_device(self.device)

    def to_json(self) -> dict[str, object]:
        """Return what decides about the result, as plain data."""
        names = (
            "timesteps", "objective", "use_labels", "quantised_share", "leak", "spike_penalty", "minutes", "epochs",
            "learning_rate", "batch_size", "mirror", "precision", "held_out", "seed",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
