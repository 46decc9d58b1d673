//! Shrinking: the shortest history that still breaks the same law.

use super::ground::Ground;
use super::history::{History, Step};
use super::{Played, play};

/// Plays at most so many histories while shrinking.
const PLAYS: usize = 200;

/// Drops steps as long as the same law stays broken (delta debugging).
pub async fn shrink(history: &History, law: &str, ground: &Ground) -> anyhow::Result<History> {
    let mut kept = history.steps.clone();
    let mut size = kept.len().div_ceil(2);
    let mut plays = 0;
    while size > 0 && plays < PLAYS {
        let mut begin = 0;
        while begin < kept.len() && plays < PLAYS {
            let end = (begin + size).min(kept.len());
            let fewer: Vec<Step> = kept[..begin].iter().chain(&kept[end..]).cloned().collect();
            plays += 1;
            if breaks(&with(history, &fewer), law, ground).await? {
                kept = fewer;
            } else {
                begin = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    Ok(with(history, &kept))
}

fn with(history: &History, steps: &[Step]) -> History {
    History { steps: steps.to_vec(), ..history.clone() }
}

async fn breaks(history: &History, law: &str, ground: &Ground) -> anyhow::Result<bool> {
    let Played { breaches, .. } = play(history, ground).await?;
    Ok(breaches.iter().any(|breach| breach.law == law))
}
