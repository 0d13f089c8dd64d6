"""Fall detection on recordings: training of the second stage, and its figures on people it has never seen."""


def measure(seconds: float) -> dict[str, float]:
    """Figures by name; none, and a line that says why, where the recordings, the scorer or the trainer are absent."""
    try:
        from benchmarks.falls.figures import measure as measure_all
    except (ImportError, OSError) as error:
        print(f"falls    nothing is measured: {error}; `make bench` installs lightgbm, which needs the system's libgomp1")
        return {}
    return measure_all(seconds)
