"""What an artifact records of the training that it went through, so that no image serves twice unnoticed."""

from collections.abc import Mapping
from dataclasses import replace

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import environment, overlap, used_data
from seenn_convert.artifact.schema.finetuning import FinetuneOrigin
from seenn_convert.artifact.schema.shared import Caution, UsedData
from seenn_convert.data.fingerprint import joined
from seenn_convert.errors import InputError
from seenn_convert.training.through_time import Training
from seenn_convert.workflows.finetune.images import Images
from seenn_convert.workflows.finetune.options import FinetuneOptions

NOTHING_GAINED = Caution(
    "nothing_gained",
    "no state of the training was better than the network before it, on the images that say which is kept, so the "
    "network is as it was; train longer, or with a smaller learning rate (--learning-rate, learning_rate)",
)


NOTHING_SHOWN = Caution(
    "nothing_gained",
    "on the images that were held out the network is no better than before its training; the ANN may remember these, "
    "so give new ones to see what was gained (--exit-data, exit_data), or train longer",
)


def check_new(images: Images, before: FinetuneOrigin | None) -> None:
    """Raise InputError where images that fit the exits trained the network before, or chose among its states."""
    uses = () if before is None else ((before, "trained the network"), (before.chosen_by, "chose its state"))
    for known, use in uses:
        if known is not None and overlap(used_data(images.exits), known):
            raise InputError(
                f"{images.exits.name}: some of the exit images {use} when it was fine-tuned before; give images that "
                "are used for nothing else"
            )


def origin_of(
    used: UsedData, images: Images, before: FinetuneOrigin | None, options: FinetuneOptions
) -> FinetuneOrigin:
    """Return what trained the network, now and before, and what chose among its states."""
    hashes, chosen_by = used.hashes, used_data(images.judging) if images.fresh else None
    if before is not None:
        hashes = joined(before.hashes, hashes)
        if before.chosen_by is not None:
            chosen_by = before.chosen_by if chosen_by is None else replace(
                chosen_by, hashes=joined(before.chosen_by.hashes, chosen_by.hashes)
            )  # fmt: skip
    return FinetuneOrigin(
        **vars(replace(used, hashes=hashes)), options=options.to_json(), environment=environment(), chosen_by=chosen_by
    )


def with_gain(artifact: Artifact, options: Mapping[str, object], training: Training) -> Artifact:
    """Return the result with the options that later calibrations start from, and a warning if nothing was gained."""
    artifact = replace(artifact, provenance=replace(artifact.provenance, options=options))
    conversion = artifact.report.conversion
    gained = training.history[training.kept]["score"] > training.history[0]["score"]
    if gained or conversion is None:
        return artifact
    doubt = NOTHING_GAINED if training.chooses else NOTHING_SHOWN
    conversion = replace(conversion, warnings=(*conversion.warnings, doubt))
    return replace(artifact, report=replace(artifact.report, conversion=conversion))
