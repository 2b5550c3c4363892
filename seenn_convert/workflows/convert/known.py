"""What the user knows of the ANN on new images: how accurate it is, or labelled images that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from seenn_convert.artifact.provenance import data_facts, is_among
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_labels, matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.data.wanted import no_labels
from seenn_convert.errors import InputError
from seenn_convert.progress import Progress
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.options import Options


@dataclass(frozen=True)
class Known:
    """What is known beyond the calibration images.

    Attributes:
        accuracy: Share of new images on which the ANN is right, as the user says it; None if he does not.
        validation: Labelled images that the ANN was not trained on; exits are fitted to them.

    Raises:
        InputError: The accuracy is no share of at most 1.
    """

    accuracy: float | None = None
    validation: SampleData | None = None

    def __post_init__(self) -> None:
        """Refuse an accuracy that is none."""
        said = self.accuracy
        if said is not None and (isinstance(said, bool) or not isinstance(said, Real) or not 0 < said <= 1):
            raise InputError(f"ann_accuracy must be a share above 0 and at most 1, such as 0.93, got {said!r}")

    def images(
        self, data: Samples, input_shape: Sequence[int], classes: int, progress: Progress, options: Options = Options()
    ) -> Samples | None:
        """Return the validation images, preprocessed and numbered as the calibration ``data``; None if there are none.

        As many are drawn as the ``options`` say.

        Raises:
            InputError: They do not fit the model, have no labels, or are calibration images.
        """
        if self.validation is None:
            return None
        given, wanted = self.validation, data.preprocessing
        found = used_images(as_samples(given, wanted, progress=progress, input_shape=input_shape), options)
        if found.labels is None:
            raise InputError(no_labels(found.name, "--validation-data (validation_data)"))
        check_shape(found, tuple(input_shape))
        found = matched_classes(found, data.class_names, classes)
        checked_labels(found, classes)
        facts = data_facts(data)
        if is_among(found, found.fingerprint(), facts):
            raise InputError(
                f"{found.name}: the validation images are calibration images; give labelled images that are used for "
                "nothing else and that the ANN was not trained on"
            )
        return found
