//! The closed forms behind the numbers.

use sim_core::math::{exp, ln, pow};

/// Erlang's loss formula: the share of calls lost with `servers` and a load of `a` calls.
pub fn erlang_b(servers: u32, a: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| a * b / (f64::from(n) + a * b))
}

/// Erlang's waiting formula: the share of customers who wait in M/M/c.
pub fn erlang_c(servers: u32, a: f64) -> f64 {
    let (b, c) = (erlang_b(servers, a), f64::from(servers));
    b / (1.0 - a / c * (1.0 - b))
}

/// The mean wait in M/M/c, in units of the mean service time, at a load of `rho` per server.
pub fn mmc_wait(servers: u32, rho: f64) -> f64 {
    let c = f64::from(servers);
    erlang_c(servers, rho * c) / (c * (1.0 - rho))
}

/// M/M/1 with room for `room` in all: the share that is turned away, and the mean time in the
/// system of the others.
pub fn mm1k(lambda: f64, mu: f64, room: i32) -> (f64, f64) {
    let rho = lambda / mu;
    let weights = (0..=room).map(|n| pow(rho, n.into()));
    let total: f64 = weights.clone().sum();
    let present: f64 = weights.clone().enumerate().map(|(n, w)| n as f64 * w).sum::<f64>() / total;
    let blocked = pow(rho, room.into()) / total;
    (blocked, present / (lambda * (1.0 - blocked)))
}

/// The mean wait in M/G/1 after Pollaczek and Khinchine, from the first two moments of the work.
pub fn mg1_wait(lambda: f64, mean: f64, square: f64) -> f64 {
    lambda * square / (2.0 * (1.0 - lambda * mean))
}

/// The mean time in the system with `d` choices among ever more servers, in units of the work.
pub fn choices(lambda: f64, d: u32) -> f64 {
    let d = f64::from(d);
    if d == 1.0 {
        return 1.0 / (1.0 - lambda);
    }
    let term = |i: u32| pow(lambda, (pow(d, i.into()) - d) / (d - 1.0));
    (1..40).map(term).take_while(|term| *term > 1e-12).sum()
}

/// Attempts at the bottom per call, with `attempts` in each of so many `layers`, when a share `f`
/// of those attempts fails.
pub fn layers(f: f64, attempts: u32, layers: u32) -> f64 {
    let n = f64::from(attempts);
    if f == 1.0 {
        return pow(n, layers.into());
    }
    (1.0 - pow(f, pow(n, layers.into()))) / (1.0 - f)
}

/// The quantile `q` of an exponential time of mean one that is hedged after `delay`.
pub fn hedged(q: f64, delay: f64) -> f64 {
    let plain = -ln(1.0 - q);
    if plain <= delay { plain } else { (plain + delay) / 2.0 }
}

/// The share of requests that are hedged after `delay`.
pub fn hedges(delay: f64) -> f64 {
    exp(-delay)
}

#[test]
fn the_formulas_give_the_published_numbers() {
    let near = |x: f64, published: f64| {
        assert!((x / published - 1.0).abs() < 6e-4, "{x} is not {published}");
    };
    near(erlang_b(8, 6.0), 0.12188);
    for (servers, rho, waits, wait) in [
        (1, 0.8, 0.8, 4.0),
        (2, 0.8, 0.7111, 1.7778),
        (10, 0.8, 0.4092, 0.2046),
        (10, 0.9, 0.6687, 0.6687),
    ] {
        near(erlang_c(servers, rho * f64::from(servers)), waits);
        near(mmc_wait(servers, rho), wait);
    }
    let (blocked, time) = mm1k(9.0, 10.0, 10);
    near(blocked, 0.05081);
    near(time, 0.46466);
    near(mg1_wait(8.0, 0.1, 0.01), 0.2);
    let scale = 0.1 / sim_core::math::gamma(1.5);
    near(mg1_wait(8.0, 0.1, scale * scale), 0.2546);
    let (mean, square) = (0.999 * 0.1 + 0.001 * 10.0, 0.999 * 2.0 * 0.01 + 0.001 * 2.0 * 100.0);
    near(mean + mg1_wait(0.8 / mean, mean, square), 4.113);
    for (lambda, d, published) in [
        (0.9, 1, 10.0),
        (0.9, 2, 2.614),
        (0.9, 3, 2.028),
        (0.99, 1, 100.0),
        (0.99, 2, 5.432),
        (0.99, 3, 3.858),
    ] {
        near(choices(lambda, d), published);
    }
    for (f, published) in [(0.5, 2.0), (0.75, 4.0), (0.9, 9.99), (1.0, 64.0)] {
        near(layers(f, 4, 3), published);
    }
    near(hedged(0.99, 2.996), 3.800);
    near(hedged(0.999, 2.996), 4.952);
    near(hedges(2.996), 0.05);
}
