//! The secrets that the vault keeps, each its own type and purpose.

use crate::{
    envelope::{MalformedPlaintext, Sealable},
    secret::{SecretBuffer, SecretKey, SecretText},
};

macro_rules! text_secrets {
    ($($(#[$doc:meta])* $name:ident = $purpose:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub SecretText);

        impl $name {
            /// Shows the secret. Stands only on the line that uses it.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose()
            }
        }

        impl Sealable for $name {
            const PURPOSE: &'static str = $purpose;

            fn plaintext(&self) -> &[u8] {
                self.0.expose().as_bytes()
            }

            fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext> {
                SecretText::from_utf8(&plaintext).map(Self).ok_or(MalformedPlaintext { purpose: Self::PURPOSE })
            }
        }
    )*};
}

text_secrets! {
    /// What the provider gave when the owner consented: the credential of an OAuth connection.
    RefreshToken = "refresh-token",
    /// What the provider issues against a credential.
    AccessToken = "access-token",
    /// The secret of our own application at a provider.
    ClientSecret = "client-secret",
}

/// What a signing key (Ed25519, RFC 8032 §5.1.5) is made of.
#[derive(Debug)]
pub struct SigningSeed(pub SecretKey);

impl Sealable for SigningSeed {
    const PURPOSE: &'static str = "signing-seed";

    fn plaintext(&self) -> &[u8] {
        self.0.expose()
    }

    fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext> {
        SecretKey::from_slice(&plaintext).map(Self).ok_or(MalformedPlaintext { purpose: Self::PURPOSE })
    }
}
