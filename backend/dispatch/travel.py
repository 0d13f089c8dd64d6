"""Travel times without an online map: kilometres as the crow flies, then minutes by a fitted curve."""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

EARTH_KM = 6371.0
"""Mean radius (IUGG)."""

Place = tuple[float, float]
"""Latitude and longitude, degrees."""


@dataclass(frozen=True, slots=True)
class Curve:
    """t = a + b * sqrt(km) + c * km, in seconds."""

    a_s: float
    b_s: float
    c_s: float

    def seconds(self, km: float) -> float:
        """Travel time for a distance as the crow flies."""
        return self.a_s + self.b_s * sqrt(km) + self.c_s * km


DEFAULT = Curve(a_s=6.2 * 60, b_s=0.0, c_s=1.34 * 60)
"""Fitted to OSRM minutes of eleven Italian towns (iolab-uniud/hhcrsp, `instances/Italian`): mean 6.2 min + 1.34 min/km, mean error 18 %."""


def crow_km(start: Place, end: Place) -> float:
    """Great-circle distance (haversine)."""
    (lat1, lon1), (lat2, lon2) = ((radians(place[0]), radians(place[1])) for place in (start, end))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
