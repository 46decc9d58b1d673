//! Keeps a row from growing without end.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes that one row may take.
const LONGEST_ROW: u64 = 1 << 20;

/// A reader that fails once it has given more than a row may take since it was last
/// [allowed](Allowance::renew) more.
#[derive(Debug)]
pub(super) struct Guarded<R> {
    file: R,
    left: Arc<AtomicU64>,
}

/// Renews what a guarded reader may give.
#[derive(Debug)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl<R> Guarded<R> {
    pub(super) fn new(file: R) -> (Self, Allowance) {
        let left = Arc::new(AtomicU64::new(LONGEST_ROW));
        (Self { file, left: Arc::clone(&left) }, Allowance(left))
    }

    pub(super) fn into_inner(self) -> R {
        self.file
    }
}

impl Allowance {
    pub(super) fn renew(&self) {
        self.0.store(LONGEST_ROW, Ordering::Relaxed);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 && most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("row too long"));
        }
        self.left.store(left - read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
