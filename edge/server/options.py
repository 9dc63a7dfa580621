"""How a client wants its scene to be counted: the options of `tanker-edge count`, checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.plan import MAX_LENGTH_M, ScanOptions
from edge.scene import SceneOptions


class CountOptions(BaseModel):
    """Options of a count, the same as on the command line. Nothing here changes how work is shared out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gsd: Annotated[float | None, Field(ge=0.001, le=1000, allow_inf_nan=False)] = None
    """Ground sample distance, m/px, over what the file says."""
    conf: Annotated[float | None, Field(ge=0, le=1)] = None
    """Score from which a vessel counts."""
    max_length: Annotated[float, Field(gt=0, le=10_000)] = MAX_LENGTH_M
    """Longest vessel, m."""
    min_length: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Shortest vessel that counts, m."""
    bands: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3},[1-9][0-9]{0,3})?$")] = None
    """One band or three, from 1, as in 3,2,1."""
    stretch: Annotated[str | None, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?,[0-9]{1,3}(\.[0-9]{1,6})?$")] = None
    """Percentiles that become 0 and 255 where px are not 8 bit, as in 1,99."""
    exhaustive: bool = False
    """Look at every tile at full resolution."""

    def reading(self, max_pixels: int) -> SceneOptions:
        """How to read the scene.

        Args:
            max_pixels: largest picture that is decoded.

        Raises:
            UsageError: an option makes no sense.
        """
        bands = tuple(int(b) for b in self.bands.split(",")) if self.bands else None
        low, high = (float(v) for v in (self.stretch or "1,99").split(","))
        return SceneOptions(bands=bands, gsd_m=self.gsd, max_pixels=max_pixels, stretch=(low, high))

    def scanning(self) -> ScanOptions:
        """How to scan it.

        Raises:
            UsageError: an option makes no sense.
        """
        return ScanOptions(
            threshold=self.conf,
            max_length_m=self.max_length,
            min_length_m=self.min_length,
            exhaustive=self.exhaustive,
        )
