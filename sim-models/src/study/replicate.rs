//! Runs on several threads, reduced as if there were one.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::figure::Figure;

/// How many runs are under way before they are reduced: enough for many threads, and few enough to
/// keep in memory. It does not depend on the number of threads, as nothing here may.
const BATCH: u64 = 256;

/// What a thread's stack holds, as the main thread's does.
const STACK: usize = 8 << 20;

/// Which seeds, how they are run, and how sure intervals are.
pub struct Options<'a> {
    /// The first seed; the others follow it.
    pub first_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// How many threads; 0 for one per processor. It changes nothing but the time it takes.
    pub jobs: usize,
    /// Figures that are asked for, beside those that are reported of their own accord.
    pub figures: Vec<Figure>,
    /// Whether the figures that are asked for are kept of each run.
    pub each: bool,
    /// How sure intervals are, between 0.5 and 0.9999.
    pub confidence: f64,
    /// Called for every run that has ended, from any thread.
    pub progress: &'a (dyn Fn() + Sync),
    /// Asked before every run and during it, from any thread. Once it is false, runs under way are
    /// dropped, and the study is of the seeds before the first that is missing.
    pub goes_on: &'a (dyn Fn() -> bool + Sync),
}

/// A hundred seeds from 1 on, one thread per processor, intervals at 95 %.
impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            first_seed: 1,
            seeds: 100,
            jobs: 0,
            figures: Vec::new(),
            each: false,
            confidence: 0.95,
            progress: &|| (),
            goes_on: &|| true,
        }
    }
}

/// Why a study could not begin.
#[derive(Clone, Debug, PartialEq)]
pub enum Misuse {
    /// No seed at all.
    NoSeeds,
    /// Seeds beyond the greatest one.
    SeedsOverflow,
    /// A confidence outside 0.5 to 0.9999.
    Confidence(f64),
    /// A figure that the scenario does not have.
    UnknownFigure {
        /// What was asked for.
        asked: Figure,
        /// What it is measured of.
        known: BTreeSet<String>,
    },
    /// A comparison with nothing to compare.
    OneSide,
    /// The system gives no threads.
    NoThreads(String),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::NoSeeds => f.write_str("no seeds, no study; take at least 1"),
            Misuse::SeedsOverflow => {
                write!(f, "the last seed would lie beyond {}; begin earlier", u64::MAX)
            }
            Misuse::Confidence(confidence) => {
                write!(f, "a confidence of {confidence} is not possible; it lies in 0.5..=0.9999")
            }
            Misuse::UnknownFigure { asked, .. } => {
                write!(f, "this scenario has no figure `{asked}`")
            }
            Misuse::OneSide => f.write_str("one side alone cannot be compared"),
            Misuse::NoThreads(why) => write!(f, "cannot start threads: {why}"),
        }
    }
}

impl std::error::Error for Misuse {}

impl Options<'_> {
    fn check(&self) -> Result<(), Misuse> {
        match self {
            _ if self.seeds == 0 => Err(Misuse::NoSeeds),
            _ if self.first_seed.checked_add(self.seeds - 1).is_none() => {
                Err(Misuse::SeedsOverflow)
            }
            _ if !(0.5..=0.9999).contains(&self.confidence) => {
                Err(Misuse::Confidence(self.confidence))
            }
            _ => Ok(()),
        }
    }
}

/// Threads that run things.
pub(crate) struct Crew<'a> {
    pool: rayon::ThreadPool,
    options: &'a Options<'a>,
}

impl<'a> Crew<'a> {
    pub(crate) fn new(options: &'a Options<'a>) -> Result<Crew<'a>, Misuse> {
        options.check()?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).stack_size(STACK);
        let pool = pool.build().map_err(|error| Misuse::NoThreads(error.to_string()))?;
        Ok(Crew { pool, options })
    }

    /// Does each piece of work of a range on some thread, and hands the results over in the order
    /// of the range, up to the first that nobody did. Returns how many those are.
    pub(crate) fn in_order<T: Send>(
        &self,
        range: std::ops::Range<u64>,
        work: impl Fn(u64) -> Option<T> + Sync,
        mut take: impl FnMut(T),
    ) -> u64 {
        let mut taken = 0;
        for start in range.clone().step_by(BATCH as usize) {
            let end = range.end.min(start + BATCH);
            for done in self.batch(start..end, &work) {
                let Some(done) = done else { return taken };
                take(done);
                taken += 1;
            }
        }
        taken
    }

    /// Each thread takes the next piece that nobody has begun: some runs are much longer than others,
    /// and where all is called off, little that was done lies behind what was not.
    fn batch<T: Send>(
        &self,
        range: std::ops::Range<u64>,
        work: &(impl Fn(u64) -> Option<T> + Sync),
    ) -> impl Iterator<Item = Option<T>> {
        let done: Vec<Mutex<Option<T>>> = range.clone().map(|_| Mutex::new(None)).collect();
        let next = AtomicU64::new(0);
        self.pool.broadcast(|_| {
            while (self.options.goes_on)() {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(place) = done.get(n as usize) else { return };
                let Some(piece) = work(range.start + n) else { return };
                (self.options.progress)();
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(piece);
            }
        });
        let inner = |place: Mutex<_>| place.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.into_iter().map(inner)
    }
}
