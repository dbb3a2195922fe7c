"""Cases for test_bins.c with the places numpy.searchsorted gives.

    oracle_bins.py find FILE

Exit code 77: numpy is not installed. A case: `case CUTS VALUES`, the cuts, then value and place in turn; numbers as hexadecimal floats.
"""
import sys

try:
    import numpy as np
except ImportError as e:
    print(f"oracle_bins.py: {e}", file=sys.stderr)
    sys.exit(77)


def case(out, cuts, values):
    cuts, values = np.unique(np.asarray(cuts, float)), np.asarray(values, float)
    places = np.searchsorted(cuts, values, side="left")      # the first cut that is not below the value
    print("case", len(cuts), len(values), file=out)
    print(*(c.hex() for c in cuts.tolist()), file=out)
    for v, p in zip(values.tolist(), places.tolist()):
        print(v.hex(), p, file=out)


def main(path):
    rng = np.random.default_rng(7)
    with open(path, "w") as out:
        for n in list(range(0, 34)) + [63, 64, 65, 255, 4095]:
            cuts = rng.normal(size=n) * 10.0 ** rng.integers(-3, 4)
            near = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
            case(out, cuts, np.concatenate([near, rng.normal(size=200) * 10, [0.0, -0.0, 5e-324, 1.7e308, -1.7e308]]))
        sample = rng.lognormal(size=100_000)
        case(out, np.quantile(sample, np.arange(1, 32) / 32), sample[:5000])
        print("end", file=out)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "find":
        sys.exit(__doc__)
    main(sys.argv[2])
