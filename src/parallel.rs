//! Independent pieces of work on several threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// What `work` makes of each item on all cores, in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    each(items, cores, &AtomicBool::new(false), work).unwrap_or_default()
}

/// What `work` makes of each item on so many threads, in the order of the items; `None` once `stop` was set.
/// Whoever is idle takes the next item: nothing is locked, and nothing is shared but what is read.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    stop: &AtomicBool,
    work: impl Fn(&T) -> R + Sync,
) -> Option<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            done.push((number, work(item)));
        }
        done
    };
    let mut all: Vec<(usize, R)> = match jobs.min(items.len()) {
        // A thread that nobody works beside costs more than a small piece of work.
        0 | 1 => worker(),
        jobs => thread::scope(|scope| {
            let handles: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
            let joined = handles.into_iter().map(|handle| match handle.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.flatten().collect()
        }),
    };
    if all.len() < items.len() {
        return None;
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    Some(all.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items_on_any_number_of_threads() {
        let stop = AtomicBool::new(false);
        for count in [0, 1, 2, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let squares: Vec<usize> = items.iter().map(|item| item * item).collect();
            for jobs in [0, 1, 2, 7] {
                assert_eq!(each(&items, jobs, &stop, |item| item * item), Some(squares.clone()));
            }
            assert_eq!(map(&items, |item| item * item), squares);
        }
    }

    #[test]
    fn a_stop_ends_it_before_the_next_item() {
        let (stop, ran) = (AtomicBool::new(false), AtomicUsize::new(0));
        let work = |item: &usize| {
            ran.fetch_add(1, Ordering::Relaxed);
            stop.store(*item == 2, Ordering::Relaxed);
        };
        assert_eq!(each(&[0, 1, 2, 3, 4], 1, &stop, work), None);
        assert_eq!(ran.into_inner(), 3);
    }
}
