"""What a user may choose about a policy head, checked when it is chosen."""

from dataclasses import dataclass, field, replace

from seenn_convert import choices
from seenn_convert.devices import check_device
from seenn_convert.errors import refuse
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.training.planner.rewards import PaperReward, PricedReward
from seenn_convert.training.planner.train import Training


@dataclass(frozen=True)
class PolicyOptions:
    """How to make a policy head.

    Attributes:
        policy: ``"planned"``, every sample leaves as planned (SEENN-II); ``"planned+confidence"``, or earlier where its
            exit score lets it.
        target: What to reach on the held-out images; the artifact's own target where None.
        reads: What the head is given: the ``"drive"``, which the stem has computed anyway, or the ``"image"``.
        reward: What an exit is worth in training, with the settings that are swept.
        right: What counts as right in training: ``"worth"``, the probability that the ANN gives to an answer;
            ``"labels"``; ``"agreement"`` with the ANN.
        epochs: How often each image serves.
        gradient: ``"exact"`` or ``"sampled"``.
        batch_size: Images that run together while the readouts are made.
        device: Where they are made.
        seed: Of the split of the data, the initial weights and the order of training.

    Raises:
        InputError: An option is out of range or unknown; lists every such option.
    """

    policy: choices.Planning = "planned+confidence"
    target: ExitTarget | None = None
    reads: choices.Reads = "drive"
    reward: PricedReward | PaperReward = field(default_factory=PricedReward)
    right: choices.Right = "worth"
    epochs: int = 15
    gradient: choices.Gradient = "exact"
    batch_size: int = 128
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        epochs = replace(choices.COUNT, most=10**6)
        problems = choices.settle_numbers(self, epochs=epochs, batch_size=choices.COUNT, seed=choices.SEED)
        problems += choices.unknown("policy", self.policy, choices.PLANNING_NAMES)
        problems += choices.unknown("what the head reads", self.reads, choices.READS_NAMES)
        problems += choices.unknown("right", self.right, choices.RIGHT_NAMES)
        problems += choices.unknown("gradient", self.gradient, choices.GRADIENT_NAMES)
        if not isinstance(self.reward, (PricedReward, PaperReward)):
            problems.append(f"reward must be a PricedReward or a PaperReward, got {self.reward!r}")
        if not (self.target is None or isinstance(self.target, ExitTarget)):
            problems.append(f"target must be an ExitTarget, such as ExitTarget(drop=0.5), got {self.target!r}")
        elif self.target is not None and self.target.milliseconds is not None:
            problems.append("target must be a drop or timesteps for a policy head, not milliseconds")
        refuse(problems)
        check_device(self.device)

    @property
    def training(self) -> Training:
        """How the head is trained."""
        return Training(self.epochs, gradient=self.gradient, entropy=self.reward.entropy, seed=self.seed)

    def to_json(self) -> dict[str, object]:
        """Return what decides about the result, as plain data; batch size and device do not."""
        return {
            "policy": self.policy,
            "reads": self.reads,
            "reward": self.reward.name,
            "settings": list(self.reward.settings),
            "entropy": self.reward.entropy,
            "right": self.right,
            "epochs": self.epochs,
            "gradient": self.gradient,
            "seed": self.seed,
        }
