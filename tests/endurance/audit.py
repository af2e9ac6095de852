"""What was accepted, compared with what has arrived."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Audit:
    """The comparison, mail by mail; each mail has a recipient of its own.

    :param accepted: recipients whose mail got its 250.
    :param arrivals: for each recipient when its mail came, as often as it came.
    """

    accepted: frozenset[str]
    arrivals: dict[str, list[float]]

    @property
    def lost(self):
        return self.accepted - set(self.arrivals)

    @property
    def duplicates(self):
        return sum(len(times) - 1 for times in self.arrivals.values())

    def duplicates_of(self, moments):
        """Count the duplicates by the first of these moments after the mail's earlier arrival."""
        counts = dict.fromkeys(sorted(moments), 0)
        for times in self.arrivals.values():
            for earlier in sorted(times)[:-1]:
                moment = next((each for each in counts if each > earlier), None)
                if moment is not None:
                    counts[moment] += 1
        return [counts[moment] for moment in moments]

    def figures(self):
        return {
            "accepted": len(self.accepted),
            "arrived": len(self.arrivals),
            "lost": len(self.lost),
            "duplicates": self.duplicates,
        }

    def violations(self):
        if self.lost:
            yield f"{len(self.lost)} mails are lost, such as the one to {min(self.lost)}"


def show(figures):
    """Print what a run has found."""
    for name, figure in figures.items():
        print(f"{name:24} {figure}")
