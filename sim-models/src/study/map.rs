//! Two values of a scenario, varied together: where it is stable, and where it is not.

use super::Axis;
use super::Subject;
use super::estimate::Estimate;
use super::replicate::{Crew, Misuse, Options};
use super::sample::Sample;
use super::summary::{RecoveryTally, Summary, Tally};
use crate::Scenario;
use crate::figure::{Figure, Kind};

/// A grid of cells, each of them some seeds of the scenario with two values set.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// What was run, before the values were set. Each cell runs all of its seeds.
    pub subject: Subject,
    /// The value that changes from column to column.
    pub x: Axis,
    /// The value that changes from row to row; one empty value when only `x` varies.
    pub y: Axis,
    /// Row by row: the cell of column `i` in row `j` is `cells[j * x.values.len() + i]`.
    pub cells: Vec<Cell>,
}

/// One cell of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What all of its runs say.
    pub summary: Summary,
    /// Goodput per second.
    pub goodput: Option<Estimate>,
    /// The share of intents whose user saw success, among all that arose.
    pub success: Option<Estimate>,
    /// The share of intents whose user was told nothing.
    pub unanswered: Option<Estimate>,
    /// Attempts per call, at the hop where it is highest.
    pub amplification: Option<Estimate>,
    /// Milliseconds from the end of the trigger to health, over the runs that recovered.
    pub recovery_time: Option<Estimate>,
    /// What the runs have in common; `None` when they say nothing of recovery.
    pub region: Option<Region>,
}

/// What the runs of a cell have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// Never degraded, or always recovered.
    Stable,
    /// Metastable in some seeds, and well again in others.
    Vulnerable,
    /// Metastable in every seed with a verdict; more have one than do not.
    Metastable,
    /// Not well even before the trigger, in most seeds.
    Overloaded,
    /// Never metastable, but in some seeds the horizon came too soon to tell.
    Undecided,
}

impl Map {
    /// Runs all seeds of every cell. `cells` are the scenarios, row by row, and `base` is the one
    /// that they were made of.
    ///
    /// # Errors
    /// Options that make no sense, or a figure that no cell has.
    ///
    /// # Panics
    /// When there is not one cell per pair of values.
    pub fn run(
        base: &Scenario,
        [x, y]: [Axis; 2],
        cells: &[Scenario],
        options: &Options<'_>,
    ) -> Result<Map, Misuse> {
        assert_eq!(cells.len(), x.values.len() * y.values.len(), "one cell per pair of values");
        let crew = Crew::new(options)?;
        let cells = super::observing(cells.iter(), &options.figures)?;
        let mut tallies = vec![Tally::default(); cells.len()];
        let count = cells.len() as u64;
        // Seed by seed, so that a map that is called off has as many of them in each cell.
        let work = |n| {
            let (seed, cell) = (options.first_seed + n / count, (n % count) as usize);
            Sample::of_run(&cells[cell], seed, &options.figures, options.goes_on)
        };
        let mut round = Vec::with_capacity(cells.len());
        let runs = options.seeds.saturating_mul(count);
        let done = crew.in_order(0..runs, work, |sample| {
            round.push(sample);
            if round.len() == tallies.len() {
                for (tally, sample) in tallies.iter_mut().zip(round.drain(..)) {
                    if options.each {
                        tally.keep(&sample);
                    }
                    tally.add(&sample);
                }
            }
        });
        let cell = |tally: Tally| Cell::new(tally.finish(options.confidence, &options.figures));
        let subject = Subject::new(base, options, done / count);
        Ok(Map { subject, x, y, cells: tallies.into_iter().map(cell).collect() })
    }

    /// The cell of a column and a row.
    pub fn cell(&self, column: usize, row: usize) -> &Cell {
        &self.cells[row * self.x.values.len() + column]
    }
}

impl Cell {
    fn new(summary: Summary) -> Cell {
        let of_all = |kind| summary.estimate(&Figure::of_all(kind));
        let hops = summary.measures.iter().filter(|m| m.figure.kind == Kind::Amplification);
        let amplification =
            hops.filter_map(|hop| hop.estimate).max_by(|a, b| a.mean.total_cmp(&b.mean));
        Cell {
            goodput: of_all(Kind::Goodput),
            success: of_all(Kind::Success),
            unanswered: of_all(Kind::Unanswered),
            amplification,
            recovery_time: of_all(Kind::RecoveryTime),
            region: summary.recovery.as_ref().and_then(Region::of),
            summary,
        }
    }
}

impl Region {
    /// All of them, from the best to the least known.
    pub const ALL: [Region; 5] = [
        Region::Stable,
        Region::Vulnerable,
        Region::Metastable,
        Region::Overloaded,
        Region::Undecided,
    ];

    /// Where the runs of a cell put it; `None` when none of them says anything.
    pub fn of(tally: &RecoveryTally) -> Option<Region> {
        let well = tally.undisturbed + tally.recovered;
        let tested = tally.tested() + tally.undecided;
        match () {
            () if tally.unhealthy > tested => Some(Region::Overloaded),
            () if tested == 0 => None,
            () if tally.metastable > 0 && well > 0 => Some(Region::Vulnerable),
            () if tally.metastable > tally.undecided => Some(Region::Metastable),
            () if tally.undecided > 0 => Some(Region::Undecided),
            () => Some(Region::Stable),
        }
    }

    /// Its name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Region::Stable => "stable",
            Region::Vulnerable => "vulnerable",
            Region::Metastable => "metastable",
            Region::Overloaded => "overloaded",
            Region::Undecided => "undecided",
        }
    }
}
