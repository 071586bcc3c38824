//! Values that several threads ask for, computed when the first one does.

use std::sync::OnceLock;

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
