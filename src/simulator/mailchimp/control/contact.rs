//! What a contact does: with mails, links and hosted forms.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ControlError;
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::entry::Writer;
use crate::simulator::mailchimp::audience::member::{Party, Slot, Source};
use crate::simulator::mailchimp::hooks::Reason;

/// Where contacts sit.
const CONTACT_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 23));

/// Something a contact does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum ContactAct {
    /// Follows the link of the confirmation mail.
    Confirm,
    /// Follows the unsubscribe link.
    Unsubscribe {
        /// [`Reason::Abuse`] makes it a complaint.
        #[serde(default)]
        reason: Reason,
        /// The campaign that carried the link.
        #[serde(default)]
        campaign_id: Option<String>,
    },
    /// Its mail server refuses it for good.
    HardBounce {
        /// The campaign that bounced.
        #[serde(default)]
        campaign_id: Option<String>,
    },
    /// Marks a campaign as spam.
    Complain {
        /// The campaign.
        #[serde(default)]
        campaign_id: Option<String>,
    },
    /// Moves to another address.
    ChangeAddress {
        /// The new one.
        to: String,
    },
    /// Changes its profile.
    EditProfile {
        /// Merge fields by tag.
        merge_fields: Map<String, Value>,
    },
    /// Fills in the hosted form.
    SignUp {
        /// Merge fields by tag.
        #[serde(default)]
        merge_fields: Map<String, Value>,
    },
}

/// A contact of one list, who can act.
#[derive(Debug, Clone)]
pub struct Contact {
    simulator: Simulator,
    list_id: String,
    email: String,
}

impl Simulator {
    /// Returns a contact of a list, known there or not.
    #[must_use]
    pub fn contact(&self, list_id: &str, email: &str) -> Contact {
        Contact { simulator: self.clone(), list_id: list_id.to_owned(), email: email.to_owned() }
    }

    /// Follows the link of a confirmation mail.
    pub fn confirm_link(&self, token: &str) -> Result<(), ControlError> {
        let mail = self.with(|world| {
            let mut mails = world.audiences_mut().flat_map(|audience| &audience.mails);
            mails.find(|mail| mail.token == token).cloned()
        });
        let mail = mail.ok_or(ControlError::NoSuchMember)?;
        self.contact(&mail.list_id, &mail.email).confirm()
    }
}

impl Contact {
    /// Follows the link of the confirmation mail.
    pub fn confirm(&self) -> Result<(), ControlError> {
        self.act(&ContactAct::Confirm)
    }

    /// Follows the unsubscribe link.
    pub fn unsubscribe(&self) -> Result<(), ControlError> {
        self.act(&ContactAct::Unsubscribe { reason: Reason::Manual, campaign_id: None })
    }

    /// Follows the unsubscribe link of a campaign.
    pub fn unsubscribe_from(&self, campaign_id: &str) -> Result<(), ControlError> {
        let campaign_id = Some(campaign_id.to_owned());
        self.act(&ContactAct::Unsubscribe { reason: Reason::Manual, campaign_id })
    }

    /// Its mail server refuses it for good.
    pub fn hard_bounce(&self) -> Result<(), ControlError> {
        self.act(&ContactAct::HardBounce { campaign_id: None })
    }

    /// Marks a campaign as spam.
    pub fn complain(&self) -> Result<(), ControlError> {
        self.act(&ContactAct::Complain { campaign_id: None })
    }

    /// Moves to another address.
    pub fn change_address(&self, to: &str) -> Result<(), ControlError> {
        self.act(&ContactAct::ChangeAddress { to: to.to_owned() })
    }

    /// Changes one field of its profile.
    pub fn edit_profile(&self, tag: &str, value: &str) -> Result<(), ControlError> {
        let merge_fields = Map::from_iter([(tag.to_owned(), value.into())]);
        self.act(&ContactAct::EditProfile { merge_fields })
    }

    /// Fills in the hosted form.
    pub fn sign_up(&self) -> Result<(), ControlError> {
        self.act(&ContactAct::SignUp { merge_fields: Map::new() })
    }

    /// Does one thing.
    pub fn act(&self, act: &ContactAct) -> Result<(), ControlError> {
        self.simulator.with(|world| {
            let writer =
                Writer::of(Party::Contact, Source::HostedForm, Some(CONTACT_IP), world.second());
            let audience = world.audience_mut(&self.list_id).ok_or(ControlError::NoSuchList)?;
            if let ContactAct::SignUp { merge_fields } = act {
                audience.sign_up(&self.email, merge_fields, &writer)?;
                return Ok(());
            }
            let slot = audience.roster.by_email(&self.email).ok_or(ControlError::NoSuchMember)?;
            perform(audience, slot, act, &writer)
        })
    }
}

fn perform(
    audience: &mut Audience,
    slot: Slot,
    act: &ContactAct,
    writer: &Writer,
) -> Result<(), ControlError> {
    match act {
        ContactAct::Confirm => audience.confirm(slot, writer)?,
        ContactAct::Unsubscribe { reason, campaign_id } => {
            audience.opt_out(slot, *reason, campaign_id.clone(), writer)?;
        }
        ContactAct::HardBounce { campaign_id } => {
            audience.bounce(slot, Reason::Hard, campaign_id.clone(), writer)?;
        }
        ContactAct::Complain { campaign_id } => {
            audience.opt_out(slot, Reason::Abuse, campaign_id.clone(), writer)?;
        }
        ContactAct::ChangeAddress { to } => audience.change_address(slot, to, writer)?,
        ContactAct::EditProfile { merge_fields } => {
            audience.edit_profile(slot, merge_fields, writer)?;
        }
        ContactAct::SignUp { .. } => {}
    }
    Ok(())
}
