"""Contestants interleaved round by round; figures are medians of per-round ratios."""

import statistics


def interleave(contestants, rounds, note=None):
    """Runs each `(name, take)` once a round, in an order that turns by one each round, so that no one
    always follows the same other. Returns {name: [sample of round 1, …]}."""
    samples = {name: [] for name, _ in contestants}
    for number in range(rounds):
        shift = number % len(contestants)
        for name, take in contestants[shift:] + contestants[:shift]:
            samples[name].append(take())
        if note:
            note(number + 1, rounds)
    return samples


def ratios(samples, name, yardstick, figure):
    return [figure(a) / figure(b) for a, b in zip(samples[name], samples[yardstick])]


class Figure:
    """Median, least and greatest of a list."""

    def __init__(self, numbers):
        self.median, self.low, self.high = statistics.median(numbers), min(numbers), max(numbers)

    def text(self, digits=2):
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def median_ratio(samples, name, yardstick, figure):
    return Figure(ratios(samples, name, yardstick, figure))


def median_of(samples, name, figure):
    return statistics.median(figure(s) for s in samples[name])
