//! Who waits for which run: a newer question of a page calls off the older one, and only so many run
//! at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Runs of so many questions at a time: what is compared runs beside it.
const AT_A_TIME: usize = 2;

/// More pages than that nobody looks at; the oldest one's question is no longer called off.
const PAGES_MAX: usize = 64;

/// Questions that wait or run.
#[derive(Debug, Default)]
pub struct Waiting {
    desk: Mutex<Desk>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    /// The number of the latest question, and that of each page with what calls it off.
    latest: u64,
    pages: BTreeMap<String, (u64, Arc<AtomicBool>)>,
    running: usize,
}

/// A question that may run. Its place is free again once it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    waiting: &'a Waiting,
    stopped: Arc<AtomicBool>,
}

impl Waiting {
    /// Waits until the question of a page may run; its older one is called off. `None` when a newer
    /// one has come meanwhile.
    pub fn turn(&self, page: &str) -> Option<Turn<'_>> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut desk = self.desk();
        desk.latest += 1;
        let own = (desk.latest, Arc::clone(&stopped));
        if let Some((_, older)) = desk.pages.insert(page.to_owned(), own) {
            older.store(true, Ordering::Relaxed);
            self.freed.notify_all();
        }
        if desk.pages.len() > PAGES_MAX {
            let oldest = desk.pages.iter().min_by_key(|(_, (number, _))| *number);
            let oldest = oldest.map(|(page, _)| page.clone());
            oldest.map(|page| desk.pages.remove(&page));
        }
        while desk.running >= AT_A_TIME && !stopped.load(Ordering::Relaxed) {
            desk = self.freed.wait(desk).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
        desk.running += 1;
        drop(desk);
        Some(Turn { waiting: self, stopped })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Turn<'_> {
    /// Somebody wants to know something else by now.
    pub fn is_called_off(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.waiting.desk().running -= 1;
        self.waiting.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_question_of_a_page_calls_off_the_older_one() {
        let waiting = Waiting::default();
        let (first, other) = (waiting.turn("a").unwrap(), waiting.turn("b").unwrap());
        assert!(!first.is_called_off());
        std::thread::scope(|scope| {
            let newer = scope.spawn(|| waiting.turn("a").is_some());
            while !first.is_called_off() {
                std::thread::yield_now();
            }
            assert!(!newer.is_finished(), "two run already");
            drop(first);
            assert!(newer.join().unwrap());
        });
        assert!(!other.is_called_off(), "another page asked for it");
        drop(other);
        assert_eq!(waiting.desk().running, 0);
    }

    #[test]
    fn who_waits_and_is_called_off_never_runs() {
        let waiting = Waiting::default();
        let running = [waiting.turn("a").unwrap(), waiting.turn("b").unwrap()];
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| waiting.turn("c").is_some());
            while !waiting.desk().pages.contains_key("c") {
                std::thread::yield_now();
            }
            let newest = scope.spawn(|| waiting.turn("c").is_some());
            assert!(!waits.join().unwrap());
            drop(running);
            assert!(newest.join().unwrap());
        });
    }

    #[test]
    fn old_pages_are_forgotten() {
        let waiting = Waiting::default();
        (0..3 * PAGES_MAX).for_each(|n| drop(waiting.turn(&n.to_string())));
        assert_eq!(waiting.desk().pages.len(), PAGES_MAX);
    }
}
