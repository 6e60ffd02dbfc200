//! What the tests of a library's rules share.

use super::Rules;
use crate::Reason;

/// The waits after the first attempts of one call, with one piece of luck for each.
pub fn waits<R: Rules, L: Copy, W>(
    rules: &R,
    luck: &[L],
    mut wait: impl FnMut(&mut R::Memory, u32, L) -> Result<W, Reason>,
) -> Vec<W> {
    let mut memory = rules.start();
    let waits = luck.iter().zip(1..).map(|(luck, n)| wait(&mut memory, n, *luck));
    waits.map(|wait| wait.expect("an attempt is left")).collect()
}
