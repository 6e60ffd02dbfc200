//! The quantile of the standard normal distribution: Wichura, algorithm AS 241 (PPND16), Applied
//! Statistics 37 (1988), good to about 16 digits.
#![expect(clippy::excessive_precision, reason = "the coefficients stand as published")]

use crate::math;

/// The quantile of the standard normal distribution at `p` in (0, 1), to about 16 digits
/// (Wichura, algorithm AS 241, PPND16).
#[inline]
pub(crate) fn normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-math::ln(tail)).sqrt();
    let z = if r <= 5.0 { ratio(r - 1.6, &SHOULDER) } else { ratio(r - 5.0, &TAIL) };
    z.copysign(q)
}

/// Numerator and denominator of a rational approximation, highest power first.
type Ratio = [[f64; 8]; 2];

fn ratio(r: f64, [numerator, denominator]: &Ratio) -> f64 {
    let horner = |terms: &[f64; 8]| terms.iter().fold(0.0, |sum, term| sum * r + term);
    horner(numerator) / horner(denominator)
}

/// For `p` within 0.425 of a half.
const CENTRE: Ratio = [
    [
        2.509_080_928_730_122_672_7e3,
        3.343_057_558_358_812_810_5e4,
        6.726_577_092_700_870_085_3e4,
        4.592_195_393_154_987_145_7e4,
        1.373_169_376_550_946_112_5e4,
        1.971_590_950_306_551_442_7e3,
        1.331_416_678_917_843_774_5e2,
        3.387_132_872_796_366_608,
    ],
    [
        5.226_495_278_852_854_561e3,
        2.872_908_573_572_194_267_4e4,
        3.930_789_580_009_271_061e4,
        2.121_379_430_158_659_586_7e4,
        5.394_196_021_424_751_107_7e3,
        6.871_870_074_920_579_083e2,
        4.231_333_070_160_091_125_2e1,
        1.0,
    ],
];
/// For `p` from `exp(-25)` on, either side.
const SHOULDER: Ratio = [
    [
        7.745_450_142_783_414_076_4e-4,
        2.272_384_498_926_918_458_33e-2,
        2.417_807_251_774_506_117_7e-1,
        1.270_458_252_452_368_382_58,
        3.647_848_324_763_204_605_04,
        5.769_497_221_460_691_405_5,
        4.630_337_846_156_545_295_9,
        1.423_437_110_749_683_577_34,
    ],
    [
        1.050_750_071_644_416_843_24e-9,
        5.475_938_084_995_344_946e-4,
        1.519_866_656_361_645_719_66e-2,
        1.481_039_764_274_800_745_9e-1,
        6.897_673_349_851_000_045_5e-1,
        1.676_384_830_183_803_849_4,
        2.053_191_626_637_758_821_87,
        1.0,
    ],
];
/// For the rest.
const TAIL: Ratio = [
    [
        2.010_334_399_292_288_132_65e-7,
        2.711_555_568_743_487_578_15e-5,
        1.242_660_947_388_078_438_6e-3,
        2.653_218_952_657_612_309_3e-2,
        2.965_605_718_285_048_912_3e-1,
        1.784_826_539_917_291_335_8,
        5.463_784_911_164_114_369_9,
        6.657_904_643_501_103_777_2,
    ],
    [
        2.044_263_103_389_939_785_64e-15,
        1.421_511_758_316_445_888_7e-7,
        1.846_318_317_510_054_681_8e-5,
        7.868_691_311_456_132_591e-4,
        1.487_536_129_085_061_485_25e-2,
        1.369_298_809_227_358_053_1e-1,
        5.998_322_065_558_879_376_9e-1,
        1.0,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_inverts_the_distribution_function() {
        for p in [1e-15, 1e-9, 1e-3, 0.02, 0.0749, 0.0751, 0.3, 0.5, 0.8, 0.9251, 0.99, 0.999_999] {
            let back = 0.5 * libm::erfc(-normal(p) / 2f64.sqrt());
            assert!((back / p - 1.0).abs() < 1e-13, "p = {p}, back = {back}");
        }
    }

    #[test]
    fn quantiles_are_pinned() {
        // The two test values that Wichura gives, then the one for percentiles.
        for (p, z) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813),
            (0.99, 2.326_347_874_040_84),
        ] {
            assert_eq!(normal(p), z);
        }
    }

    #[test]
    fn the_quantile_rises_across_the_seams() {
        for seam in [0.075, math::exp(-25.0), 0.925] {
            let around = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
            let z = around.map(|n| normal(seam * (1.0 + n * 1e-12)));
            assert!(z.is_sorted(), "at {seam}: {z:?}");
        }
    }
}
