//! Enums that are stored and shown as one fixed word each.

/// Declares an enum whose variants are stored, sent and shown as one fixed word each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the word it is stored and shown as.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::domain::text::UnknownWord {
                        kind: stringify!($name),
                        choices: &[$($word,)+],
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

/// A word that is none of those its enum knows.
///
/// It does not repeat the word, which may come from a record and be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the values known for {kind}: use one of {}", choices.join(", "))]
pub struct UnknownWord {
    /// The enum that was asked for.
    pub kind: &'static str,
    /// The words it knows.
    pub choices: &'static [&'static str],
}
