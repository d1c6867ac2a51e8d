//! Shamir's secret sharing over GF(2^8), with the polynomial of AES (FIPS 197 §4): a 256-bit key in `shares` parts, of
//! which any `threshold` give it back and fewer say nothing about it.
//!
//! Written here because what is published falls short of what a vault needs: tables of logarithms are read at places that
//! the secret names, and coefficients are left in memory. These are the hundred lines that remain; vectors of the IETF
//! draft `draft-mcgrew-tss-03` and another program's shares pin them.

use crate::{entropy::Entropy, secret::SecretKey};
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

/// How many shares there are, and how many of them are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    threshold: u8,
    shares: u8,
}

impl Quorum {
    /// The most shares: people have to hand them out and find them again.
    pub const MOST: u8 = 32;

    /// Takes a threshold of 2 or more, of at most 32 shares.
    ///
    /// # Errors
    /// [`NoQuorum`] outside of that. A threshold of 1 would be that many copies of the key.
    pub fn new(threshold: u64, shares: u64) -> Result<Self, NoQuorum> {
        let (Ok(threshold), Ok(shares)) = (u8::try_from(threshold), u8::try_from(shares)) else { return Err(NoQuorum) };
        let fits = 2 <= threshold && threshold <= shares && shares <= Self::MOST;
        fits.then_some(Self { threshold, shares }).ok_or(NoQuorum)
    }

    /// Returns how many shares are enough.
    #[must_use]
    pub const fn threshold(self) -> u8 {
        self.threshold
    }

    /// Returns how many shares there are.
    #[must_use]
    pub const fn shares(self) -> u8 {
        self.shares
    }
}

/// A number of shares and a threshold do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that many shares are no quorum: a threshold of 2 or more, of at most 32 shares, is one")]
pub struct NoQuorum;

/// Splits `secret`. The share at place `i` of the result is the point at `x = i + 1`; the secret is the one at 0.
pub(super) fn split(secret: &SecretKey, quorum: Quorum, entropy: &dyn Entropy) -> Vec<SecretKey> {
    // The coefficients of all bytes: those of x^1 first.
    let mut coefficients = Zeroizing::new(vec![0; SecretKey::LEN * usize::from(quorum.threshold - 1)]);
    entropy.fill(&mut coefficients);
    (1..=quorum.shares).map(|x| evaluate(secret, &coefficients, x)).collect()
}

/// Evaluates the polynomials at `x` (Horner).
fn evaluate(secret: &SecretKey, coefficients: &[u8], x: u8) -> SecretKey {
    SecretKey::filled(|share| {
        for row in coefficients.chunks_exact(SecretKey::LEN).rev() {
            for (value, coefficient) in share.iter_mut().zip(row) {
                *value = multiply(*value ^ coefficient, x);
            }
        }
        for (value, constant) in share.iter_mut().zip(secret.expose()) {
            *value ^= constant;
        }
    })
}

/// Puts shares together, each with its place `x`. What comes out is the secret only where they are of one splitting and
/// enough of it; nothing here can tell.
///
/// # Panics
/// Where two have the same place, or one has 0.
pub(super) fn combine(shares: &[(u8, &SecretKey)]) -> SecretKey {
    SecretKey::filled(|secret| {
        for (x, share) in shares {
            let weight = weight_at_zero(*x, shares.iter().map(|(other, _)| *other));
            for (value, point) in secret.iter_mut().zip(share.expose()) {
                *value ^= multiply(*point, weight);
            }
        }
    })
}

/// The value at 0 of the polynomial of Lagrange that is 1 at `x` and 0 at the other places.
fn weight_at_zero(x: u8, places: impl Iterator<Item = u8>) -> u8 {
    assert_ne!(x, 0, "the point at 0 is the secret, not a share");
    let mut same = 0;
    let weight = places.fold(1, |weight, other| {
        if other == x {
            same += 1;
            return weight;
        }
        multiply(weight, multiply(other, invert(other ^ x)))
    });
    assert_eq!(same, 1, "a place has one share");
    weight
}

/// Multiplies in GF(2^8), in time that depends on neither factor.
fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= u8::conditional_select(&0, &a, Choice::from((b >> bit) & 1));
        let reduction = u8::conditional_select(&0, &0x1b, Choice::from(a >> 7));
        a = (a << 1) ^ reduction;
    }
    product
}

/// Inverts by raising to the 254th power.
fn invert(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{SystemEntropy, make_key};

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197 §4.2 and §4.2.1.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
        assert_eq!([2, 4, 8, 0x10].map(|b| multiply(0x57, b)), [0xae, 0x47, 0x8e, 0x07]);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
            for b in 0..=255 {
                assert_eq!(multiply(a, b), multiply(b, a));
                assert_eq!(multiply(a, b ^ 0x35), multiply(a, b) ^ multiply(a, 0x35));
            }
        }
    }

    fn padded(hex: &str) -> SecretKey {
        let bytes = data_encoding::HEXUPPER.decode(hex.as_bytes()).unwrap();
        SecretKey::filled(|key| key[..bytes.len()].copy_from_slice(&bytes))
    }

    #[test]
    fn the_vector_of_draft_mcgrew_tss_03_combines() {
        let (one, two) = (padded("B9FA07E185"), padded("F5409B4511"));
        assert_eq!(combine(&[(1, &one), (2, &two)]).expose(), padded("7465737400").expose());
        assert_eq!(combine(&[(2, &two), (1, &one)]).expose(), padded("7465737400").expose());
    }

    /// Draws the coefficients of the draft's example.
    struct Example;
    impl Entropy for Example {
        fn fill(&self, bytes: &mut [u8]) {
            // Share 1 less the secret is the one coefficient.
            bytes[..5].copy_from_slice(&[0xB9 ^ 0x74, 0xFA ^ 0x65, 0x07 ^ 0x73, 0xE1 ^ 0x74, 0x85]);
        }
    }

    #[test]
    fn the_vector_of_draft_mcgrew_tss_03_splits() {
        let shares = split(&padded("7465737400"), Quorum::new(2, 2).unwrap(), &Example);
        assert_eq!(shares[0].expose(), padded("B9FA07E185").expose());
        assert_eq!(shares[1].expose(), padded("F5409B4511").expose());
    }

    #[test]
    fn any_threshold_of_the_shares_combines_and_one_fewer_does_not() {
        let secret = make_key(&SystemEntropy);
        for (threshold, count) in [(2, 2), (2, 3), (3, 5), (5, 5), (16, 32)] {
            let shares = split(&secret, Quorum::new(threshold, count).unwrap(), &SystemEntropy);
            let placed: Vec<_> = (1..).zip(&shares).collect();
            let enough = usize::try_from(threshold).unwrap();
            for first in 0..=shares.len() - enough {
                assert_eq!(combine(&placed[first..first + enough]).expose(), secret.expose());
            }
            assert_ne!(combine(&placed[..enough - 1]).expose(), secret.expose());
        }
    }

    #[test]
    fn two_splittings_of_one_key_share_nothing() {
        let (secret, quorum) = (make_key(&SystemEntropy), Quorum::new(2, 3).unwrap());
        let (one, two) = (split(&secret, quorum, &SystemEntropy), split(&secret, quorum, &SystemEntropy));
        assert_ne!(combine(&[(1, &one[0]), (2, &two[1])]).expose(), secret.expose());
    }

    #[test]
    fn what_is_no_quorum_is_refused() {
        for (threshold, shares) in [(0, 3), (1, 3), (4, 3), (2, 33), (300, 300), (2, 258)] {
            assert_eq!(Quorum::new(threshold, shares), Err(NoQuorum), "{threshold} of {shares}");
        }
    }
}
