//! AES-256-GCM against Project Wycheproof's vectors, through the envelope's own interface.

use leasehold::{
    envelope::aead::{AeadKey, NONCE_LEN, TAG_LEN, open, seal},
    secret::SecretKey,
};
use wycheproof::{
    TestResult,
    aead::{Test, TestName, TestSet},
};

#[test]
fn every_aes_256_gcm_vector_of_wycheproof_holds() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut ran, mut refused, mut skipped) = (0, 0, 0);
    for group in set.test_groups {
        // Other sizes cannot be said to the envelope: keys are 32 bytes and nonces 12 by type, tags 16 by layout.
        let ours =
            group.key_size == 8 * SecretKey::LEN && group.nonce_size == 8 * NONCE_LEN && group.tag_size == 8 * TAG_LEN;
        if !ours {
            skipped += group.tests.len();
            continue;
        }
        for test in &group.tests {
            ran += 1;
            refused += usize::from(test.result == TestResult::Invalid);
            check(test);
        }
    }
    // A vector file that lost its cases, or a filter that lost its meaning, must not pass for success.
    assert_eq!(
        (ran, refused, skipped),
        (66, 27, 250),
        "AES-256 with 96-bit nonce and 128-bit tag; refused; other sizes"
    );
}

fn check(test: &Test) {
    let key = SecretKey::from_slice(&test.key).unwrap();
    let nonce: [u8; NONCE_LEN] = test.nonce.as_ref().try_into().unwrap();
    let sealed = [&nonce, test.ct.as_ref(), test.tag.as_ref()].concat();
    let opened = open(&key, &test.aad, &sealed);
    let mut buffer = sealed.clone();
    let opened_in_place = AeadKey::new(&key).open_in_place(&test.aad, &mut buffer);
    match test.result {
        TestResult::Valid => {
            assert_eq!(seal(&key, nonce, &test.aad, &test.pt), sealed, "case {}: sealed", test.tc_id);
            assert_eq!(opened.unwrap().as_slice(), test.pt.as_ref(), "case {}: opened", test.tc_id);
            assert_eq!(opened_in_place.unwrap(), test.pt.as_ref(), "case {}: opened in place", test.tc_id);
        }
        TestResult::Invalid => {
            assert!(opened.is_err() && opened_in_place.is_err(), "case {}: {}", test.tc_id, test.comment);
        }
        TestResult::Acceptable => panic!("case {}: no AES-GCM vector is merely acceptable", test.tc_id),
    }
}
