"""Cases for test_gp_model.c with the values scikit-learn's Gaussian process gives for the same kernel and hyperparameters.

    oracle_gp.py FILE

Exit code 77: scikit-learn is not installed. The file is text: the number of cases; each has n, d, m, theta (d + 3), x (n rows), y, the log marginal
likelihood, m points and for each the posterior's mean and standard deviation.
"""
import sys

try:
    import numpy as np
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
except ImportError as e:
    print(f"oracle_gp.py: {e}", file=sys.stderr)
    sys.exit(77)


def main():
    rng = np.random.default_rng(5)
    out = []
    for n, d in [(1, 1), (2, 3), (7, 2), (40, 5), (101, 10)]:
        m = 9
        theta = np.concatenate([rng.normal(-0.5, 0.5, d), rng.normal(0, 0.5, 1), rng.uniform(-7, -2, 1), rng.normal(0, 0.3, 1)])
        x, at, y = rng.uniform(size=(n, d)), rng.uniform(size=(m, d)), rng.normal(size=n)
        smooth = ConstantKernel(np.exp(theta[d]), "fixed") * Matern(np.exp(theta[:d]), "fixed", nu=2.5)
        gp = GaussianProcessRegressor(smooth + WhiteKernel(np.exp(theta[d + 1]), "fixed"), alpha=0, optimizer=None).fit(x, y - theta[d + 2])
        mean, sd = gp.predict(at, return_std=True)
        sd = np.sqrt(sd ** 2 - np.exp(theta[d + 1]))           # theirs is of a noisy observation
        out.append(f"{n} {d} {m}")
        for part in (theta, x.ravel(), y, [gp.log_marginal_likelihood_value_], at.ravel(), mean + theta[d + 2], sd):
            out.append(" ".join(float(v).hex() for v in part))
    with open(sys.argv[1], "w") as f:
        f.write("5\n" + "\n".join(out) + "\n")


if __name__ == "__main__":
    main()
