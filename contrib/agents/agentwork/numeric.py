"""Statistics of one series of numbers.

Always holds: finite input gives finite output; quartiles are interpolated between the two nearest ranks (as in R
type 7), the standard deviation is the sample's (n - 1), the fences stand 1.5 interquartile ranges beyond the quartiles.
"""
import math

FENCE, Z_LIMIT = 1.5, 3.0


def quantile(ordered, share):
    position = (len(ordered) - 1) * share
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def describe(values):
    """count, mean, stdev, min, q1, median, q3, max, sum, lower and upper fence of at least one value."""
    ordered, count = sorted(values), len(values)
    total = math.fsum(ordered)
    mean = total / count
    stdev = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / (count - 1)) if count > 1 else 0.0
    q1, median, q3 = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    reach = FENCE * (q3 - q1)
    return {
        "count": count,
        "sum": total,
        "mean": mean,
        "stdev": stdev,
        "min": ordered[0],
        "q1": q1,
        "median": median,
        "q3": q3,
        "max": ordered[-1],
        "lower_fence": q1 - reach,
        "upper_fence": q3 + reach,
    }


def outliers(series, facts):
    """[(value, place, z, how)] beyond a fence (when the quartiles differ) or 3 standard deviations, farthest first."""
    found = []
    for value, place in series:
        z = (value - facts["mean"]) / facts["stdev"] if facts["stdev"] else 0.0
        beyond = facts["q1"] < facts["q3"] and not facts["lower_fence"] <= value <= facts["upper_fence"]
        far = abs(z) > Z_LIMIT
        if beyond or far:
            found.append((value, place, z, "iqr+z" if beyond and far else "iqr" if beyond else "z"))
    return sorted(found, key=lambda item: -abs(item[2]))


def show(value):
    """A number as a person writes it: no needless digits."""
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
