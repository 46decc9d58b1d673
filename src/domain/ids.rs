//! Ids: opaque, time-ordered, safe in logs.

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// One practice with its patients, lists and policy.
    ClinicId,
    /// One person in a clinic's system of record.
    PatientId,
    /// One address of one clinic on one channel.
    ContactId,
    /// One audience or contact list in one provider account.
    ListId,
    /// One contact on one list; the only name a contact has in logs.
    LinkId,
    /// One line of the ledger.
    EventId,
    /// One turn of the loop, and the plan it made.
    RunId,
}
