//! Mathematics that gives the same bits on every platform.
//!
//! The standard library hands `ln`, `exp` and their kin to the platform, whose last bit differs
//! from machine to machine; these go to `libm`, pinned exactly. What IEEE 754 fixes (`+`, `*`,
//! `/`, `sqrt`, `floor`) may be used from anywhere.

/// The natural logarithm; negative infinity at zero, NaN below.
#[inline]
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// `ln(1 + x)`, exact for small `x`.
#[inline]
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// The logarithm to base 2.
#[inline]
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}

/// The logarithm to base 10.
#[inline]
pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}

/// `e` to the power `x`.
#[inline]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// `exp(x) - 1`, exact for small `x`.
#[inline]
pub fn exp_m1(x: f64) -> f64 {
    libm::expm1(x)
}

/// `base` to the power `exponent`.
#[inline]
pub fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// The square root; NaN below zero.
#[inline]
pub fn sqrt(x: f64) -> f64 {
    libm::sqrt(x)
}

/// The sine of an angle in radians.
#[inline]
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// The cosine of an angle in radians.
#[inline]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// The hyperbolic tangent.
#[inline]
pub fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

/// The gamma function: `(n - 1)!` at a whole `n`.
#[inline]
pub fn gamma(x: f64) -> f64 {
    libm::tgamma(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_pinned_to_the_bit() {
        for (name, found, pinned) in [
            ("ln", ln(7.0), 1.9459101490553132),
            ("ln_1p", ln_1p(1e-9), 9.999999995e-10),
            ("log2", log2(7.0), 2.807354922057604),
            ("log10", log10(7.0), 0.8450980400142568),
            ("exp", exp(1.5), 4.4816890703380645),
            ("exp_m1", exp_m1(1e-9), 1.0000000005000001e-9),
            ("pow", pow(1.1, 30.0), 17.44940226888645),
            ("sqrt", sqrt(7.0), 2.6457513110645907),
            ("sin", sin(1.0), 0.8414709848078965),
            ("cos", cos(1.0), 0.5403023058681398),
            ("tanh", tanh(0.5), 0.46211715726000974),
            ("gamma", gamma(5.5), 52.34277778455353),
        ] {
            assert_eq!(found.to_bits(), f64::to_bits(pinned), "{name}: {found:?}");
        }
    }
}
