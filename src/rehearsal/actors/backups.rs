//! Whoever looks after the machine: backs the store up, and puts it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Channel;
use crate::rehearsal::faults::Kind;
use crate::rehearsal::stages::Standing;
use crate::rehearsal::world::World;

impl World {
    /// Backs the store up, where the engine lets that be done beside those who work on it.
    pub(super) async fn backs_up(&self) -> anyhow::Result<String> {
        if !self.backs_store_up().await? {
            return Ok("nothing".to_owned());
        }
        let now = self.now();
        self.books().is_backed_up(now);
        Ok("the store is backed up".to_owned())
    }

    /// Puts the store back; every process starts anew.
    pub(super) async fn puts_back(self: &Arc<Self>) -> anyhow::Result<String> {
        if !self.is_backed_up() {
            return Ok("nothing".to_owned());
        }
        self.weather.count(Kind::PutBack);
        let served = self.server().is_some();
        self.serves(None, None);
        self.puts_store_back()?;
        let now = self.now();
        let shown = self.noes_shown();
        self.books().forget_since_backup(now, &shown);
        if served {
            self.starts_serving().await?;
        }
        Ok("the store is put back".to_owned())
    }

    /// Who stands on some list of a clinic as nobody who wants it, by clinic, channel and address, and
    /// whether one shows a no of theirs: that can be found there again.
    fn noes_shown(&self) -> BTreeMap<(usize, Channel, String), bool> {
        let mut shown = BTreeMap::new();
        for (clinic, setting) in self.history.clinics.iter().enumerate() {
            for list in 0..setting.lists.len() {
                let (stage, _, setup) = self.list(clinic, list);
                for (address, standing) in stage.holds(&setup.audience) {
                    if !standing.is_listed() {
                        let says_no = shown.entry((clinic, stage.channel(), address)).or_default();
                        *says_no |= standing != Standing::Archived;
                    }
                }
            }
        }
        shown
    }
}
