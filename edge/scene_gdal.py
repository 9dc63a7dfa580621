"""How GDAL gets at a TIFF: by its path, or, where it has none, by ranges of its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rasterio.errors import RasterioIOError

from edge.errors import SceneError
from edge.georef import GDAL_ERRORS
from edge.scene_blocks import AGAIN, first_line
from edge.scene_plugin import OPEN, Ranges, opened, plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.scene_copy import Copy
    from edge.scene_file import SceneFile

T = TypeVar("T")
_CLOSED = "the scene is closed"


class GdalFile:
    """A TIFF within GDAL's reach."""

    def __init__(self, subject: Path | SceneFile, path: Path | None = None, copy: Copy | None = None) -> None:
        """Nothing is opened yet.

        Args:
            subject: what errors name.
            path: to the bytes of a SceneFile; None reads ranges of it.
            copy: that the path leads to, to be closed with this.
        """
        self.subject = subject
        self._copy = copy
        self._ranges = None if isinstance(subject, Path) or path else Ranges(subject)
        self._name = str((path or Path(str(subject))).absolute())

    def open(self, **how: Any) -> Any:  # noqa: ANN401 - rasterio has no types
        """A dataset.

        Args:
            how: options of GDAL's driver.

        Raises:
            SceneError: not a whole TIFF, or its bytes cannot be had.
        """
        try:
            return RangesDataset(self._ranges, how) if self._ranges else opened(self._name, **how)
        except GDAL_ERRORS as error:
            raise self.not_whole(error) from error

    def not_whole(self, error: BaseException) -> SceneError:
        """What GDAL does not take for a TIFF."""
        told = first_line(error).removeprefix(f"{Path(self._name).name}: ")
        return SceneError(self.subject, f"is not a whole TIFF ({told})", AGAIN)

    def close(self) -> None:
        """Let go of a copy; datasets are closed before."""
        if self._copy:
            self._copy.close()


class RangesDataset:
    """A dataset of rasterio, whose every use is followed by a look at whether its bytes could be had.

    Ranges that GDAL asks for at once can only be there, all of them. Where the end of a file is missing, it is opened
    anew for one range at a time: its blocks then fail one by one, as those of a local file do.
    """

    def __init__(self, ranges: Ranges, how: dict[str, Any]) -> None:
        """Open it, with options of GDAL's driver.

        Raises:
            SceneError: its bytes cannot be had. What GDAL raises comes through.
        """
        self._ranges, self._how = ranges, how
        self._dataset: Any = None
        self._open()

    def _open(self) -> None:
        self._one_by_one = self._ranges.cut_off
        installed = plugin(one_by_one=self._one_by_one)
        self._context = installed.context.copy()
        OPEN.add(self)
        try:
            self._dataset = self._context.run(opened, f"{installed.folder}/{self._ranges.key}", **self._how)
            self._ranges.check()
        except GDAL_ERRORS:
            self._ranges.check()
            raise
        except BaseException:
            self.close()
            raise

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - rasterio has no types
        """An attribute of the dataset."""
        value = self._use(lambda dataset: getattr(dataset, name))
        if not callable(value):
            return value
        return lambda *args, **how: self._use(lambda dataset: getattr(dataset, name)(*args, **how))

    def _use(self, use: Callable[[Any], T]) -> T:
        while True:
            try:
                result = self._checked(use)
            except GDAL_ERRORS:
                if self._one_by_one or not self._ranges.cut_off:
                    raise
            else:
                if self._one_by_one or not self._ranges.cut_off:
                    return result
            self.close()
            self._open()

    def _checked(self, use: Callable[[Any], T]) -> T:
        """What comes of a use in the context of the plugin, if all reads went well."""
        self._ranges.check()
        if self._dataset is None:
            raise RasterioIOError(_CLOSED)
        try:
            result = self._context.run(use, self._dataset)
        except GDAL_ERRORS:
            self._ranges.check()
            raise
        self._ranges.check()
        return result

    def close(self) -> None:
        """Close it; a second call does nothing."""
        dataset, self._dataset = self._dataset, None
        if dataset is not None:
            self._context.run(dataset.close)
        OPEN.discard(self)

    def __del__(self) -> None:
        """Close it in its context: rasterio would do it in any."""
        self.close()
