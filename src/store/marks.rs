//! Marks: a set of ordinals, and what lies between them.

use serde::Serialize;

/// A set of ordinals, one bit each: a million take 125 kB.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    bits: Vec<u64>,
}

/// Ordinals from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    low: i64,
    high: i64,
}

impl Marks {
    /// Marks an ordinal.
    pub fn set(&mut self, ordinal: i64) {
        let (word, bit) = place(ordinal);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= bit;
    }

    /// Marks what the other has marked too.
    pub fn merge(&mut self, other: &Self) {
        if self.bits.len() < other.bits.len() {
            self.bits.resize(other.bits.len(), 0);
        }
        for (mine, theirs) in self.bits.iter_mut().zip(&other.bits) {
            *mine |= theirs;
        }
    }

    /// Counts what is marked.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bits.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }

    /// Returns the stretches from 1 up to before `end` in which nothing is marked.
    pub fn gaps(&self, end: i64) -> impl Iterator<Item = Stretch> {
        let mut first = 1;
        std::iter::from_fn(move || {
            first = self.find(first, end, false)?;
            let last = self.find(first, end, true).unwrap_or(end) - 1;
            let gap = Stretch { low: first, high: last };
            first = last + 1;
            Some(gap)
        })
    }

    /// Finds the next ordinal from `from` on that is marked, or is not, a word at a time.
    fn find(&self, from: i64, end: i64, marked: bool) -> Option<i64> {
        let mut at = from;
        while at < end {
            let (word, bit) = place(at);
            let bits = self.bits.get(word).copied().unwrap_or_default();
            let wanted = (if marked { bits } else { !bits }) & !(bit - 1);
            let in_word = i64::try_from(word).unwrap_or_default() * 64;
            if wanted != 0 {
                let found = in_word + i64::from(wanted.trailing_zeros());
                return Some(found).filter(|found| *found < end);
            }
            at = in_word + 64;
        }
        None
    }
}

impl Extend<i64> for Marks {
    fn extend<T: IntoIterator<Item = i64>>(&mut self, ordinals: T) {
        ordinals.into_iter().for_each(|ordinal| self.set(ordinal));
    }
}

fn place(ordinal: i64) -> (usize, u64) {
    let ordinal = usize::try_from(ordinal).unwrap_or_default();
    (ordinal / 64, 1 << (ordinal % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(marked: &[i64], end: i64) -> Vec<(i64, i64)> {
        let mut marks = Marks::default();
        marks.extend(marked.iter().copied());
        marks.gaps(end).map(|gap| (gap.low, gap.high)).collect()
    }

    #[test]
    fn what_is_not_marked_lies_in_the_gaps() {
        assert_eq!(gaps(&[], 4), [(1, 3)]);
        assert_eq!(gaps(&[1, 2, 3], 4), []);
        assert_eq!(gaps(&[2, 63, 64, 200], 201), [(1, 1), (3, 62), (65, 199)]);
        assert_eq!(gaps(&[1], 1_000), [(2, 999)]);
        assert_eq!(gaps(&[5, 900], 3), [(1, 2)]);
        assert_eq!(gaps(&[], 1), []);
    }
}
