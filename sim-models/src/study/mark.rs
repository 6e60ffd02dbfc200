//! Whether a difference is one that matters: how sure it is, and how large.
//!
//! A small difference may be sure, and a large one luck. A mark asks for both. The interval of the
//! difference either lies beyond the least difference that matters, or within it. Where it does
//! neither, nobody can tell, and that is said: it is never taken for "no difference".

use std::fmt;

use super::compare::{Contrast, Judgement};
use super::estimate::Interval;
use crate::figure::{Better, Kind, Unit};

/// Whether a difference is one that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Better, and by so much that it matters, whatever luck did.
    Better,
    /// Worse, and by so much that it matters, whatever luck did.
    Worse,
    /// The figure is better and the side is not: it breaks more promises, or serves fewer.
    NotBetter,
    /// They differ by so much that it matters, and neither way is better.
    Different,
    /// They differ by less than what matters, whatever luck did.
    Alike,
    /// They are the same with every seed.
    Equal,
    /// Luck may be what sets them apart, or what makes them look alike.
    Unclear,
}

impl Mark {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Mark; 7] = [
        Mark::Better,
        Mark::Worse,
        Mark::NotBetter,
        Mark::Different,
        Mark::Alike,
        Mark::Equal,
        Mark::Unclear,
    ];

    /// Its name in JSON, which stays as it is.
    pub const fn id(self) -> &'static str {
        match self {
            Mark::Better => "better",
            Mark::Worse => "worse",
            Mark::NotBetter => "not_better",
            Mark::Different => "different",
            Mark::Alike => "alike",
            Mark::Equal => "equal",
            Mark::Unclear => "unclear",
        }
    }
}

/// In words: `not better`.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mark::NotBetter => "not better",
            mark => mark.id(),
        })
    }
}

impl Contrast {
    /// The least difference that matters, where one is asked for that is at least this share of the
    /// first side's figure. Of a share, what is missing to the whole counts as well: from 99.9 % to
    /// 99.8 % is twice as many failures. A broken promise, a duplicate, a run that stays down and a
    /// user without an answer matter however few they are.
    pub fn matters(&self, least: f64) -> f64 {
        let reference = self.reference.abs();
        match (self.figure.kind, self.figure.unit()) {
            (Kind::Broken | Kind::Duplicated | Kind::Metastable | Kind::Unanswered, _) => 0.0,
            (_, Unit::Share) => least * reference.min(1.0 - reference).max(0.0),
            _ => least * reference,
        }
    }

    /// Whether the difference is one that matters, if one is asked for that is at least this share
    /// of the first side's figure.
    pub fn mark(&self, least: f64) -> Mark {
        let Some(Interval { low, high }) = self.difference.interval else { return Mark::Unclear };
        let never_apart = self.difference.mean == 0.0 && self.difference.deviation == Some(0.0);
        if never_apart || (low == 0.0 && high == 0.0) {
            return Mark::Equal;
        }
        if let Judgement::Lacks(_) = self.judgement {
            return Mark::Unclear;
        }
        let matters = self.matters(least);
        let (is_above, is_below) = (low > 0.0 && low >= matters, high < 0.0 && high <= -matters);
        let is_harmed = self.judgement == Judgement::NotBetter;
        match (is_above || is_below, self.figure.better()) {
            (true, Better::Neither) => Mark::Different,
            (true, better) if is_above != (better == Better::Higher) => Mark::Worse,
            (true, _) if is_harmed => Mark::NotBetter,
            (true, _) => Mark::Better,
            (false, _) if -matters < low && high < matters => Mark::Alike,
            (false, _) => Mark::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::figure::Figure;
    use crate::study::Estimate;

    fn contrast(kind: Kind, reference: f64, [low, high]: [f64; 2]) -> Contrast {
        let mean = (low + high) / 2.0;
        let interval = Some(Interval { low, high });
        let figure = Figure::of_all(kind);
        Contrast {
            judgement: Judgement::of(Interval { low, high }, figure.better()),
            figure,
            side: 1,
            reference,
            value: reference + mean,
            difference: Estimate { mean, interval, deviation: Some(1.0), n: 20 },
            saved: None,
        }
    }

    #[test]
    fn a_mark_follows_the_interval_and_the_least_difference() {
        for (interval, mark) in [
            ([2.0, 3.0], Mark::Better),
            ([1.9, 3.0], Mark::Unclear),
            ([-1.0, 3.0], Mark::Unclear),
            ([-1.9, 1.9], Mark::Alike),
            ([0.5, 1.5], Mark::Alike),
            ([-2.0, 1.0], Mark::Unclear),
            ([-3.0, -2.0], Mark::Worse),
            ([0.0, 0.0], Mark::Equal),
            ([-1.0, f64::INFINITY], Mark::Unclear),
            ([2.5, f64::INFINITY], Mark::Better),
        ] {
            let found = contrast(Kind::Goodput, 100.0, interval).mark(0.02);
            assert_eq!(found, mark, "{interval:?}");
        }
        assert_eq!(contrast(Kind::Amplification, 100.0, [2.0, 3.0]).mark(0.02), Mark::Worse);
        assert_eq!(contrast(Kind::Utilisation, 0.5, [0.2, 0.3]).mark(0.02), Mark::Different);
    }

    #[test]
    fn without_an_interval_nobody_can_tell() {
        let mut one = contrast(Kind::Goodput, 100.0, [50.0, 50.0]);
        one.difference.interval = None;
        assert_eq!(one.mark(0.02), Mark::Unclear);
    }

    #[test]
    fn harm_matters_however_small_it_is() {
        for kind in [Kind::Broken, Kind::Duplicated, Kind::Metastable, Kind::Unanswered] {
            assert_eq!(contrast(kind, 0.9, [1e-6, 2e-6]).mark(0.5), Mark::Worse, "{kind}");
        }
    }

    #[test]
    fn twice_as_many_failures_matter_beside_many_successes() {
        let of = |interval| contrast(Kind::Success, 0.999, interval).mark(0.02);
        assert_eq!(of([-0.0012, -0.0008]), Mark::Worse);
        assert_eq!(of([-0.000_01, 0.000_01]), Mark::Alike);
    }

    #[test]
    fn what_is_better_is_not_where_the_side_does_harm() {
        let mut faster = contrast(Kind::LatencyMean, 100.0, [-50.0, -40.0]);
        assert_eq!(faster.mark(0.02), Mark::Better);
        faster.judgement = Judgement::NotBetter;
        assert_eq!(faster.mark(0.02), Mark::NotBetter);
    }

    proptest! {
        /// Seen from the other side, better is worse; and a larger least difference never makes
        /// more differences matter.
        #[test]
        fn a_mark_turns_with_its_sides(
            low in -9.0..9.0_f64,
            more in 0.0..9.0_f64,
            least in 0.0..0.2_f64,
        ) {
            let high = low + more;
            let of = |interval, least| contrast(Kind::Goodput, 20.0, interval).mark(least);
            let (this, that) = (of([low, high], least), of([-high, -low], least));
            let turned = match this {
                Mark::Better => Mark::Worse,
                Mark::Worse => Mark::Better,
                same => same,
            };
            prop_assert_eq!(that, turned);
            let matters = |mark| matches!(mark, Mark::Better | Mark::Worse);
            prop_assert!(matters(this) || !matters(of([low, high], least + 0.1)));
        }
    }
}
