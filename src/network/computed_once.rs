//! Values that several threads ask for, computed when the first one does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The value of `cell`, computed outside of its lock: a walk runs on all threads, and a thread that waits for its parts may be handed a
/// task that asks for the same cell. Two threads may then compute the same value, and one of the two is dropped.
pub fn computed<T>(cell: &OnceLock<T>, compute: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(value) => value,
        None => {
            let value = compute();
            cell.get_or_init(|| value)
        }
    }
}

/// The value of `known` under `key`, computed outside of the lock as for [`computed`].
pub(super) fn kept<K: Ord, T: Clone>(known: &Mutex<BTreeMap<K, T>>, key: K, compute: impl FnOnce() -> T) -> T {
    if let Some(value) = open(known).get(&key) {
        return value.clone();
    }
    let value = compute();
    open(known).insert(key, value.clone());
    value
}

/// A lock that a panic elsewhere does not spoil: what it guards is whole after every statement.
pub(super) fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
