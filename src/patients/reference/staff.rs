//! What staff of the reference clinic do. Each act says when it happened, by the clinic's clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::super::sql::Pool;
use super::Reference;
use crate::domain::{Address, Answer, Channel, Consent, PatientRecord, PatientStatus, Personal};
use crate::patients::SourceError;

impl Reference {
    /// Gives a patient another standing.
    ///
    /// # Errors
    /// [`SourceError::NoSuchPatient`]; [`SourceError::Query`] when the database fails.
    pub async fn set_status(
        &self,
        id: &str,
        status: PatientStatus,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| record.status = status).await
    }

    /// Puts a patient away.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn archive(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        self.set_status(id, PatientStatus::Archived, at).await
    }

    /// Takes a patient back.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn reactivate(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        self.set_status(id, PatientStatus::Active, at).await
    }

    /// Marks a patient as deleted, which means erased everywhere.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn delete(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        self.set_status(id, PatientStatus::Deleted, at).await
    }

    /// Marks a patient as merged into another record.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn merge(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        self.set_status(id, PatientStatus::Merged, at).await
    }

    /// Records a death.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn die(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        self.set_status(id, PatientStatus::Deceased, at).await
    }

    /// Gives a patient another address on one channel, or none.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn change_address(
        &self,
        id: &str,
        channel: Channel,
        address: Option<Address>,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| match channel {
            Channel::Email => record.email = address,
            Channel::Sms => record.mobile = address,
        })
        .await
    }

    /// Gives a patient another name.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn rename(
        &self,
        id: &str,
        given: &str,
        family: &str,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| {
            record.given_name = Personal::new(given);
            record.family_name = Personal::new(family);
        })
        .await
    }

    /// Sets the tags that selectors match.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn set_tags(
        &self,
        id: &str,
        tags: BTreeSet<String>,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| record.tags = tags).await
    }

    /// Records an answer with whatever evidence there is.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn set_consent(
        &self,
        id: &str,
        channel: Channel,
        consent: Consent,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| *consent_mut(record, channel) = consent).await
    }

    /// Flips the bare flag: yes or no, without time, wording or anybody's name.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn flip_flag(
        &self,
        id: &str,
        channel: Channel,
        yes: bool,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        let answer = if yes { Answer::Granted } else { Answer::NotAsked };
        self.set_consent(id, channel, Consent { answer, ..Consent::default() }, at).await
    }

    /// Records an objection to direct marketing, on every channel.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn object(&self, id: &str, at: DateTime<Utc>) -> Result<(), SourceError> {
        let objected = Consent { answer: Answer::Objected, at: Some(at), ..Consent::default() };
        self.change(id, at, |record| {
            record.email_consent = objected.clone();
            record.sms_consent = objected;
        })
        .await
    }

    /// Restricts processing (GDPR Art. 18), or lifts the restriction.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn restrict(
        &self,
        id: &str,
        restricted: bool,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| record.restricted = restricted).await
    }

    /// Records the answer to the privacy policy.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn answer_policy(
        &self,
        id: &str,
        accepted: Option<bool>,
        at: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        self.change(id, at, |record| record.privacy_policy = accepted).await
    }

    /// Removes the row itself, as a careless clean-up would: no trace stays.
    ///
    /// # Errors
    /// As [`Reference::set_status`].
    pub async fn vanish(&self, id: &str) -> Result<(), SourceError> {
        const SQL: &str = "DELETE FROM clinic_patients WHERE id = $1";
        let gone = match &self.pool {
            Pool::Sqlite { writing, .. } => {
                sqlx::query(SQL).bind(id).execute(writing).await.map(|done| done.rows_affected())
            }
            Pool::Postgres(pool) => {
                sqlx::query(SQL).bind(id).execute(pool).await.map(|done| done.rows_affected())
            }
        };
        match gone.map_err(|error| self.pool.failed("removing a patient", &error))? {
            0 => Err(SourceError::NoSuchPatient),
            _ => Ok(()),
        }
    }

    async fn change(
        &self,
        id: &str,
        at: DateTime<Utc>,
        act: impl FnOnce(&mut PatientRecord) + Send,
    ) -> Result<(), SourceError> {
        let mut record = self.record(id).await?.ok_or(SourceError::NoSuchPatient)?;
        act(&mut record);
        record.updated_at = at;
        self.upsert(&[record]).await
    }
}

const fn consent_mut(record: &mut PatientRecord, channel: Channel) -> &mut Consent {
    match channel {
        Channel::Email => &mut record.email_consent,
        Channel::Sms => &mut record.sms_consent,
    }
}
