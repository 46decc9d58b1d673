//! How the domain's types stand in columns: ids as UUID, words as TEXT, instants as milliseconds.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::{Result, StoreError};
use crate::domain::operation::Counted;
use crate::domain::{
    Actor, By, Channel, Class, ClinicId, ContactId, Entry, EventId, EventKind, LinkId, ListId,
    MemberKey, MemberStatus, OptOutKind, Origin, PatientId, PatientStatus, Reason, Role, RunId,
    TimeSource, Verb,
};

/// A parameter of a statement; an absent one keeps its type, which PostgreSQL asks for.
#[derive(Clone)]
pub(super) enum Arg {
    Id(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Flag(bool),
}

/// The parameters of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::columns::Arg::from($value)),*] };
}
pub(super) use args;

macro_rules! arg_from {
    ($($type:ty, $value:ident => $arg:expr;)+) => {$(
        impl From<$type> for Arg {
            fn from($value: $type) -> Self { $arg }
        }
    )+};
}

arg_from! {
    Uuid, id => Self::Id(Some(id));
    Option<Uuid>, id => Self::Id(id);
    &str, text => Self::Text(Some(text.to_owned()));
    String, text => Self::Text(Some(text));
    Option<&str>, text => Self::Text(text.map(str::to_owned));
    Option<String>, text => Self::Text(text);
    i64, number => Self::Int(Some(number));
    u32, number => Self::Int(Some(i64::from(number)));
    Option<i64>, number => Self::Int(number);
    DateTime<Utc>, at => Self::Int(Some(millis(at)));
    Option<DateTime<Utc>>, at => Self::Int(at.map(millis));
    bool, flag => Self::Flag(flag);
}

/// Reads `$type` from a column of `$column`, on any engine that has it.
macro_rules! stored {
    ($type:ty as $column:ty, $read:expr) => {
        impl<DB: sqlx::Database> sqlx::Type<DB> for $type
        where
            $column: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <$column as sqlx::Type<DB>>::type_info()
            }
            fn compatible(info: &DB::TypeInfo) -> bool {
                <$column as sqlx::Type<DB>>::compatible(info)
            }
        }
        impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for $type
        where
            $column: sqlx::Decode<'r, DB>,
        {
            fn decode(
                value: DB::ValueRef<'r>,
            ) -> std::result::Result<Self, sqlx::error::BoxDynError> {
                let read: fn($column) -> std::result::Result<Self, sqlx::error::BoxDynError> =
                    $read;
                read(<$column as sqlx::Decode<'r, DB>>::decode(value)?)
            }
        }
    };
}
macro_rules! stored_ids {
    ($($id:ident),+) => {$(
        impl From<$id> for $crate::store::columns::Arg {
            fn from(id: $id) -> Self { Self::Id(Some(id.0)) }
        }
        impl From<Option<$id>> for $crate::store::columns::Arg {
            fn from(id: Option<$id>) -> Self { Self::Id(id.map(|id| id.0)) }
        }
        stored!($id as Uuid, |id| Ok($id(id)));
    )+};
}

macro_rules! stored_words {
    ($($word:ty),+) => {$(
        impl From<$word> for $crate::store::columns::Arg {
            fn from(word: $word) -> Self { Self::Text(Some(word.word().to_owned())) }
        }
        impl From<Option<$word>> for $crate::store::columns::Arg {
            fn from(word: Option<$word>) -> Self { Self::Text(word.map(|w| w.word().to_owned())) }
        }
        $crate::store::columns::stored!($word as String, |word| Ok(word.parse()?));
    )+};
}

pub(super) use {stored, stored_words};

stored_ids!(ClinicId, PatientId, ContactId, ListId, LinkId, EventId, RunId);
stored_words!(
    Actor,
    Channel,
    By,
    Class,
    Counted,
    Entry,
    EventKind,
    MemberStatus,
    OptOutKind,
    Origin,
    PatientStatus,
    Reason,
    Role,
    TimeSource,
    Verb
);
stored!(MemberKey as String, |key| Ok(Self(key)));

/// An instant in a column; turns into `DateTime<Utc>`.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(DateTime<Utc>);
stored!(At as i64, |millis| Ok(Self(instant(millis)?)));

impl From<At> for DateTime<Utc> {
    fn from(at: At) -> Self {
        at.0
    }
}

/// An instant in a column that may be empty; turns into `Option<DateTime<Utc>>`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaybeAt(Option<DateTime<Utc>>);
stored!(MaybeAt as Option<i64>, |millis| Ok(Self(millis.map(instant).transpose()?)));

impl From<MaybeAt> for Option<DateTime<Utc>> {
    fn from(at: MaybeAt) -> Self {
        at.0
    }
}

/// A row count in a column; turns into `u64`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count(u64);
stored!(Count as i64, |number| Ok(Self(count(number))));

impl From<Count> for u64 {
    fn from(count: Count) -> Self {
        count.0
    }
}

/// Milliseconds since 1970, as stored.
pub(super) const fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn instant(millis: i64) -> std::result::Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or(StoreError::Corrupt { what: "instant" })
}

/// Writes `value` as the JSON text of a column or a parameter.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { what: "value" })
}

/// Reads a JSON column. The parser's own message may quote the value and is dropped.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what })
}

/// A row of a JSON parameter that is just an id.
#[derive(Serialize)]
pub(super) struct IdRow {
    id: Uuid,
}

/// Writes ids as a JSON parameter with the column `id`.
pub(super) fn id_rows(ids: impl IntoIterator<Item = Uuid>) -> Result<String> {
    json(&ids.into_iter().map(|id| IdRow { id }).collect::<Vec<_>>())
}

/// A row of a JSON parameter that is just a text.
#[derive(Serialize)]
struct TextRow<'a> {
    text: &'a str,
}

/// Writes texts as a JSON parameter with the column `text`.
pub(super) fn text_rows<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<String> {
    json(&texts.into_iter().map(|text| TextRow { text }).collect::<Vec<_>>())
}

/// Turns a row count or an ordinal of the database into an unsigned count.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
