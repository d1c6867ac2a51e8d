//! The vault's nouns and their state machines: pure values, without I/O, clock or randomness of their own.

pub mod connection;
pub mod entry;
pub mod event;
pub mod fence;
pub mod lease;
pub mod quarantine;
pub mod secrets;
pub mod standing;

/// A stored or received word is none of those a type knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {noun}: one of {expected} is")]
pub struct UnknownWord {
    noun: &'static str,
    word: String,
    expected: &'static str,
}

impl UnknownWord {
    /// Names the word that was met, the noun that was expected and the words it may be.
    #[must_use]
    pub fn new(noun: &'static str, word: &str, expected: &'static str) -> Self {
        Self { noun, word: word.chars().take(64).collect(), expected }
    }
}

/// Defines an enum whose variants are words: the same text in SQL, JSON and on the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $noun:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Reads the word, or `None` for any other spelling.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let unknown = || $crate::domain::UnknownWord::new($noun, word, concat!($("`", $word, "` "),*));
                Self::parse(word).ok_or_else(unknown)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::UnknownWord;
            fn try_from(word: String) -> Result<Self, Self::Error> {
                word.parse()
            }
        }
    };
}
pub(crate) use words;
