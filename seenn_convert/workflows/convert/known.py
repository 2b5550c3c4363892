"""What the user knows of the ANN on new images: how accurate it is, or images that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from seenn_convert.artifact.provenance import overlap, used_data
from seenn_convert.artifact.schema.shared import UsedData
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_labels, matched_classes
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.progress import Progress
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.options import Options


@dataclass(frozen=True)
class Known:
    """What is known beyond the calibration images.

    Attributes:
        accuracy: Share of new images on which the ANN is right, as the user says it; None if he does not.
        exit_data: Images that the ANN was not trained on, with labels or without; exits are fitted to them.

    Raises:
        InputError: The accuracy is no share of at most 1.
    """

    accuracy: float | None = None
    exit_data: SampleData | None = None

    def __post_init__(self) -> None:
        """Refuse an accuracy that is none."""
        said = self.accuracy
        if said is not None and (isinstance(said, bool) or not isinstance(said, Real) or not 0 < said <= 1):
            raise InputError(f"ann_accuracy must be a share above 0 and at most 1, such as 0.93, got {said!r}")

    @classmethod
    def of(cls, accuracy: float | None, exit_data: SampleData | None, validation_data: SampleData | None) -> "Known":
        """Return what a user says; ``validation_data`` is the older name of ``exit_data``.

        Raises:
            InputError: Both names are given, or the accuracy is none.
        """
        if exit_data is not None and validation_data is not None:
            raise InputError("validation_data is the older name of exit_data; give one of them")
        return cls(accuracy, validation_data if exit_data is None else exit_data)

    def exit_images(
        self,
        preprocessing: Preprocessing,
        class_names: Sequence[str] | None,
        calibration: UsedData | None,
        input_shape: Sequence[int],
        classes: int,
        progress: Progress,
        options: Options = Options(),
    ) -> Samples | None:
        """Return the exit images, preprocessed and numbered as the ``calibration`` images were; None if there are none.

        As many are drawn as the ``options`` say.

        Raises:
            InputError: They do not fit the model, or are calibration images.
        """
        if self.exit_data is None:
            return None
        found = used_images(
            as_samples(self.exit_data, preprocessing, progress=progress, input_shape=input_shape), options
        )
        check_shape(found, tuple(input_shape))
        if len(found) < 2:
            raise CalibrationDataError(f"{found.name}: {len(found)} exit image is too few; give some hundreds")
        if found.labels is not None:
            found = matched_classes(found, class_names, classes)
            checked_labels(found, classes)
        share = 0.0 if calibration is None else overlap(used_data(found), calibration)
        if share:
            raise InputError(
                f"{found.name}: {'the' if share == 1 else 'some of the'} exit images are calibration images; "
                "give images that are used for nothing else and that the ANN was not trained on, or leave out "
                "--exit-data (exit_data) if it was not trained on these"
            )
        return found
