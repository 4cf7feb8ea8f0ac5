#!/usr/bin/env python3
"""Fits the polynomials of kernels_simd.h; prints their coefficients and errors in float arithmetic.

GELU(x) = x Phi(x), and Phi(x) - 1/2 = x P(x^2) is fitted on |x| <= 5 so that the largest error of
x^2 P(x^2), that is of GELU, is least (Lawson's iteration of weighted least squares). The variable
is u = 2 x^2 / 25 - 1, which keeps the sum well conditioned in float. exp2(f) is fitted on
|f| <= 1/2 for its relative error. Needs numpy.
"""

import math

import numpy as np


def minimax(basis, target, weight, rounds=300):
    """Coefficients that minimise the largest of |weight * (basis @ c - target)|."""
    lawson = np.ones(len(target))
    for _ in range(rounds):
        scale = np.sqrt(lawson) * weight
        c, *_ = np.linalg.lstsq(basis * scale[:, None], target * scale, rcond=None)
        lawson *= np.abs((basis @ c - target) * weight) + 1e-300
        lawson /= lawson.sum()
    return c


def horner(coefficients, u):
    value = np.full_like(u, np.float32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        value = value * u + np.float32(c)
    return value


def show(name, coefficients):
    print(f"{name}: " + ", ".join(f"{np.float32(c):.9g}f" for c in coefficients))


def gelu(limit, degree, points=6000):
    x = limit * np.sqrt((1 - np.cos(np.pi * (np.arange(points) + 0.5) / points)) / 2)
    phi = 0.5 * np.array([math.erf(v / math.sqrt(2)) for v in x]) / x
    u = 2 * x * x / limit**2 - 1
    c = minimax(np.vander(u, degree + 1, increasing=True), phi, x * x)
    show(f"gelu |x| <= {limit}, degree {degree}", c)
    z = np.linspace(-12, 12, 400001).astype(np.float32)
    exact = z.astype(np.float64) * 0.5 * np.array(
        [math.erfc(-float(v) / math.sqrt(2)) for v in z])
    clamped = np.clip(z, np.float32(-limit), np.float32(limit))
    float_u = clamped * clamped * np.float32(2 / limit**2) - np.float32(1)
    got = z * (np.float32(0.5) + clamped * horner(c, float_u))
    print(f"  largest error in float {np.abs(got - exact).max():.3g}")


def exp2(degree, points=4000):
    f = -0.5 * np.cos(np.pi * (np.arange(points) + 0.5) / points)
    c = minimax(np.vander(f, degree + 1, increasing=True), np.exp2(f), 1 / np.exp2(f))
    show(f"exp2 |f| <= 0.5, degree {degree}", c)
    z = np.linspace(-0.5, 0.5, 100001).astype(np.float32)
    exact = np.exp2(z.astype(np.float64))
    print(f"  largest relative error in float {np.abs(horner(c, z) / exact - 1).max():.3g}")


if __name__ == "__main__":
    gelu(5.0, 12)
    exp2(5)
