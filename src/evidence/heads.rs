//! The map of tenants' newest entries. A chain alone cannot show that its newest entry is the newest; the map can.
//!
//! It is a binary tree over the tenants' ids, in which each tenant has exactly one place: a branch divides by one bit of the
//! id and names that bit in its hash, so that one root cannot hold two entries for one tenant. A plain tree over a sorted
//! list could: who checks one path does not see the rest of the list.
//!
//! ```text
//! leaf   = SHA-256( 0x02 ‖ tenant 16 ‖ tenant_seq 8, big-endian ‖ leaf hash of the newest entry 32 )
//! branch = SHA-256( 0x03 ‖ bit 1 ‖ root of those whose bit is 0 ‖ root of those whose bit is 1 )
//! ```
//! Bits count from the most significant one of the id, from 0. A branch divides by the first bit in which its ids differ.

use crate::{id::TenantId, merkle::Hash};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A tenant's newest entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub tenant: TenantId,
    /// Its place in the tenant's chain.
    pub tenant_seq: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
}

/// One branch on the way from a tenant's place to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The bit by which it divides.
    pub bit: u8,
    /// The root of the other side.
    pub sibling: Hash,
}

/// The newest entries of all tenants at one moment.
#[derive(Clone, Debug)]
pub struct HeadMap {
    heads: Vec<Head>,
}

impl HeadMap {
    /// Makes the map; of two heads of one tenant the later one counts.
    #[must_use]
    pub fn new(mut heads: Vec<Head>) -> Self {
        heads.sort_by_key(|head| (head.tenant, head.tenant_seq));
        heads.reverse();
        heads.dedup_by_key(|head| head.tenant);
        heads.reverse();
        Self { heads }
    }

    /// Returns the root; the hash of nothing where there is no tenant. Hashes once for each tenant and branch.
    #[must_use]
    pub fn root(&self) -> Hash {
        if self.heads.is_empty() { Hash::of_empty_tree() } else { root(&self.heads) }
    }

    /// Returns how many tenants have entries; the vault's own chain counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Says whether no tenant has an entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Lists the newest entries, by tenant.
    pub fn iter(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter()
    }

    /// Finds a tenant's newest entry.
    #[must_use]
    pub fn find_head(&self, tenant: TenantId) -> Option<&Head> {
        self.heads.binary_search_by_key(&tenant, |head| head.tenant).ok().map(|at| &self.heads[at])
    }

    /// Finds a tenant's newest entry and the way from it to the root, deepest branch first. Costs as much as the root.
    #[must_use]
    pub fn find(&self, tenant: TenantId) -> Option<(Head, Vec<Step>)> {
        let mut at = self.heads.binary_search_by_key(&tenant, |head| head.tenant).ok()?;
        let found = self.heads[at];
        let (mut within, mut path) = (&self.heads[..], Vec::new());
        while within.len() > 1 {
            let (bit, middle) = divide(within);
            let (zeros, ones) = within.split_at(middle);
            let (own, other) = if at < middle { (zeros, ones) } else { (ones, zeros) };
            path.push(Step { bit, sibling: root(other) });
            at -= if at < middle { 0 } else { middle };
            within = own;
        }
        path.reverse();
        Some((found, path))
    }
}

/// Returns the root that a tenant's newest entry and the way up lead to; `None` where the way is none: its bits have to
/// fall from the deepest branch to the root, each once.
#[must_use]
pub fn root_of_path(head: &Head, path: &[Step]) -> Option<Hash> {
    let falls = path.windows(2).all(|pair| pair[0].bit > pair[1].bit);
    let within = path.iter().all(|step| step.bit < 128);
    (falls && within).then(|| {
        path.iter().fold(leaf(head), |below, step| {
            if is_one(head.tenant, step.bit) {
                branch(step.bit, &step.sibling, &below)
            } else {
                branch(step.bit, &below, &step.sibling)
            }
        })
    })
}

fn root(heads: &[Head]) -> Hash {
    match heads {
        [head] => leaf(head),
        _ => {
            let (bit, middle) = divide(heads);
            branch(bit, &root(&heads[..middle]), &root(&heads[middle..]))
        }
    }
}

/// Returns the first bit in which sorted ids differ, and where those begin whose bit is 1.
fn divide(heads: &[Head]) -> (u8, usize) {
    let id = |head: &Head| head.tenant.as_uuid().as_u128();
    let (first, last) = (heads.first().map_or(0, id), heads.last().map_or(0, id));
    let bit = u8::try_from((first ^ last).leading_zeros()).expect("an id has 128 bits");
    (bit, heads.partition_point(|head| !is_one(head.tenant, bit)))
}

fn is_one(tenant: TenantId, bit: u8) -> bool {
    tenant.as_uuid().as_u128() >> (127 - bit) & 1 == 1
}

fn leaf(head: &Head) -> Hash {
    let hash = Sha256::new_with_prefix([0x02])
        .chain_update(head.tenant.as_uuid().as_bytes())
        .chain_update(head.tenant_seq.to_be_bytes())
        .chain_update(head.leaf_hash.as_bytes());
    Hash::from_bytes(hash.finalize().into())
}

fn branch(bit: u8, zeros: &Hash, ones: &Hash) -> Hash {
    let hash = Sha256::new_with_prefix([0x03, bit]).chain_update(zeros.as_bytes()).chain_update(ones.as_bytes());
    Hash::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn head(id: u128, tenant_seq: u64) -> Head {
        let tenant = TenantId::from_uuid(Uuid::from_u128(id));
        Head { tenant, tenant_seq, leaf_hash: leaf_hash(&tenant_seq.to_be_bytes()) }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_tenant_s_way_leads_to_the_root_and_no_other_newest_entry_s_does(
            ids in prop::collection::btree_set(any::<u128>(), 1..40), seq in 0_u64..1_000, bit in 0_usize..256,
        ) {
            let heads: Vec<Head> = ids.iter().map(|id| head(*id, seq)).collect();
            let map = HeadMap::new(heads.iter().rev().copied().collect());
            let root = map.root();
            for own in &heads {
                let (found, path) = map.find(own.tenant).unwrap();
                prop_assert_eq!(found, *own);
                prop_assert_eq!(root_of_path(own, &path), Some(root));
                let older = Head { tenant_seq: seq + 1, ..*own };
                prop_assert_ne!(root_of_path(&older, &path), Some(root));
                for at in 0..path.len() {
                    let mut altered = path.clone();
                    let mut bytes = *altered[at].sibling.as_bytes();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    altered[at].sibling = Hash::from_bytes(bytes);
                    prop_assert_ne!(root_of_path(own, &altered), Some(root));
                    let mut cut = path.clone();
                    cut.remove(at);
                    prop_assert_ne!(root_of_path(own, &cut), Some(root));
                }
            }
        }

        #[test]
        fn a_tenant_without_entries_has_no_way(ids in prop::collection::btree_set(1..u128::MAX, 1..20)) {
            let map = HeadMap::new(ids.iter().map(|id| head(*id, 1)).collect());
            prop_assert!(map.find(TenantId::VAULT).is_none());
        }
    }

    #[test]
    fn a_way_whose_bits_do_not_fall_is_none() {
        let sibling = leaf_hash(b"s");
        for bits in [[3, 3], [2, 3], [200, 3]] {
            let path = bits.map(|bit| Step { bit, sibling });
            assert_eq!(root_of_path(&head(1, 1), &path), None, "{bits:?}");
        }
    }

    // Computed with Python's hashlib from the forms in the module's description.
    #[test]
    fn the_form_is_fixed_for_ever() {
        let map = HeadMap::new(vec![head(1, 7), head(1 << 127, 9)]);
        assert_eq!(map.root().to_string(), "lNbYHjPu8blMGVbwVFDshqEBUTHO8/N2WH0zgIRkUk0=");
    }

    #[test]
    fn of_two_entries_of_one_tenant_the_later_counts() {
        let map = HeadMap::new(vec![head(1, 7), head(1, 9), head(1, 8)]);
        assert_eq!(map.root(), HeadMap::new(vec![head(1, 9)]).root());
        assert_eq!(map.len(), 1);
    }
}
