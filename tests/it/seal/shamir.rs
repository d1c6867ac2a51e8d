//! The Shamir seal: what its shares look like, and officers who bring them together.

use super::{is_cause_and_remedy, world::World};
use crate::databases::{TestDatabase, both_databases};
use leasehold::{
    entropy::{SystemEntropy, make_key},
    envelope::{NotAShare, NotOurs, Quorum, Share, ShareKind, ShareSet},
    keyring::GATHERING_LIFE,
    seal::ShamirSeal,
    secret::SecretText,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn text(of: &Share) -> String {
    of.to_text().expose().to_owned()
}

fn parse(text: &str) -> Result<Share, NotAShare> {
    Share::parse(&SecretText::new(text.to_owned()), ShareKind::Seal)
}

fn shares(kind: ShareKind) -> (ShareSet, Vec<Share>) {
    ShareSet::split(&make_key(&SystemEntropy), kind, Quorum::new(2, 3).unwrap(), &SystemEntropy)
}

#[test]
fn a_share_is_read_however_it_was_written_down() {
    let (set, shares) = shares(ShareKind::Seal);
    let line = text(&shares[0]);
    assert_eq!((line.len(), line.matches('-').count()), (113, 21), "{line}");
    let body = line.strip_prefix("lhs_").unwrap();
    for written in [
        line.clone(),
        format!("  {line}\n"),
        format!("lhs_{}", body.replace('-', "")),
        format!("lhs_{}", body.replace('-', " ")),
        format!("lhs_{}", body.to_uppercase()),
        // What a hand makes of digits.
        format!("lhs_{}", body.replace('0', "O").replace('1', "l")),
    ] {
        let read = parse(&written).unwrap();
        assert_eq!(set.recognise(&read), Ok(()));
        assert_eq!(text(&read), line);
    }
}

#[test]
fn a_slip_anywhere_is_noticed() {
    let (_, shares) = shares(ShareKind::Seal);
    let line = text(&shares[0]);
    for (at, letter) in line.char_indices().skip("lhs_".len()).filter(|(_, letter)| *letter != '-') {
        let mut slipped = line.clone();
        slipped.replace_range(at..=at, if letter == 'x' { "y" } else { "x" });
        assert_eq!(parse(&slipped).unwrap_err(), NotAShare::Mistyped, "letter {at}");
    }
    // Two groups changed places.
    let swapped = format!("lhs_{}-{}{}", &line[9..13], &line[4..8], &line[13..]);
    assert_eq!(parse(&swapped).unwrap_err(), NotAShare::Mistyped);
}

#[test]
fn what_is_no_share_of_this_kind_is_told_apart() {
    let (_, seal) = shares(ShareKind::Seal);
    let (_, recovery) = shares(ShareKind::Recovery);
    let line = text(&seal[0]);
    let kind = NotAShare::Kind { given: ShareKind::Recovery, wanted: ShareKind::Seal };
    for (written, why) in [
        (String::new(), NotAShare::Form),
        ("correct horse battery staple".into(), NotAShare::Form),
        (text(&recovery[0]), kind),
        (line[..line.len() - 5].to_owned(), NotAShare::Length),
        (format!("{line}-0000"), NotAShare::Length),
        (format!("lhs_{}", "0".repeat(100_000)), NotAShare::Length),
        (line.replace(&line[4..5], "!"), NotAShare::Mistyped),
    ] {
        let refused = parse(&written).unwrap_err();
        assert_eq!(std::mem::discriminant(&refused), std::mem::discriminant(&why), "{refused}");
        assert!(is_cause_and_remedy(&refused), "{refused}");
    }
}

#[test]
fn a_share_of_another_set_and_a_forged_one_are_told_apart() {
    let ((set, ours), (other, theirs)) = (shares(ShareKind::Seal), shares(ShareKind::Seal));
    assert_eq!(set.recognise(&ours[2]), Ok(()));
    assert_eq!(set.recognise(&theirs[2]), Err(NotOurs::Foreign));
    // A set that says the same id and keeps other hashes: what was given was made by no splitting of it.
    let mut forged = serde_json::to_value(&other).unwrap();
    forged["set"] = serde_json::to_value(&set).unwrap()["set"].clone();
    let forged: ShareSet = serde_json::from_value(forged).unwrap();
    assert_eq!(forged.recognise(&ours[2]), Err(NotOurs::Forged));
    assert!(is_cause_and_remedy(&NotOurs::Foreign) && is_cause_and_remedy(&NotOurs::Forged));
}

#[test]
fn a_share_shows_nothing_of_itself() {
    let (_, shares) = shares(ShareKind::Seal);
    assert!(format!("{:?}", shares[0]).contains("[redacted]"));
    assert_eq!(format!("{}", shares[0].to_text()), "[redacted]");
}

/// A vault that three of five shares open, sealed.
async fn sealed(database: TestDatabase) -> (World, Vec<String>) {
    let (seal, shares) = ShamirSeal::make(Quorum::new(3, 5).unwrap(), &SystemEntropy);
    let world = World::make(database, Arc::new(seal)).await.restart().await;
    (world, shares.iter().map(text).collect())
}

fn one(share: &str) -> Value {
    json!({ "share": share })
}

both_databases!(
    officers_open_it_one_share_at_a_time_and_see_how_far_they_are,
    wrong_repeated_and_foreign_shares_are_told_apart_and_harm_nothing,
    shares_are_forgotten_after_a_quarter_of_an_hour,
    cve_2026_5807_only_an_officer_can_have_the_shares_forgotten,
);

async fn officers_open_it_one_share_at_a_time_and_see_how_far_they_are(database: TestDatabase) {
    let (world, shares) = sealed(database).await;
    let status = world.seal_status().await;
    assert_eq!(status, json!({ "open": false, "seal": "shamir", "shares": { "given": [], "needed": 3, "of": 5 } }));
    let answer = world.post("/v1/seal/open", one(&shares[4])).await;
    assert_eq!((&answer["open"], &answer["shares"]["given"]), (&json!(false), &json!([5])));
    let answer = world.post("/v1/seal/open", one(&shares[0])).await;
    assert_eq!((&answer["open"], &answer["shares"]["given"]), (&json!(false), &json!([1, 5])));
    assert!(!world.vault.keyring.is_open());
    let answer = world.post("/v1/seal/open", one(&shares[2])).await;
    assert_eq!((&answer["open"], &answer["shares"]), (&json!(true), &Value::Null));
    assert!(world.vault.keyring.is_open());

    let given = world.entries("share.given").await;
    let told: Vec<_> =
        given.iter().map(|entry| (&entry["details"]["share"], &entry["details"]["still_needed"])).collect();
    assert_eq!(told, [(&json!(5), &json!(2)), (&json!(1), &json!(1)), (&json!(3), &json!(0))]);
    assert_eq!(world.entries("vault.unsealed").await.len(), 1);
    let log = format!("{given:?}");
    assert!(shares.iter().all(|share| !log.contains(&share[60..80])), "a share is in the log");
}

async fn wrong_repeated_and_foreign_shares_are_told_apart_and_harm_nothing(database: TestDatabase) {
    let (world, shares) = sealed(database).await;
    world.post("/v1/seal/open", one(&shares[0])).await;
    let (_, foreign) = ShamirSeal::make(Quorum::new(3, 5).unwrap(), &SystemEntropy);
    let mut mistyped = shares[1].clone();
    mistyped.replace_range(20..21, if &mistyped[20..21] == "x" { "y" } else { "x" });
    for (share, status, reason) in [
        (&shares[0], 409, "share_repeated"),
        (&text(&foreign[1]), 409, "share_foreign"),
        (&mistyped, 400, "share_malformed"),
        (&"lhr_0000".to_owned(), 400, "share_of_other_kind"),
    ] {
        let (answered, problem) = world.refused("/v1/seal/open", one(share)).await;
        assert_eq!((answered, &problem["reason"]), (status, &json!(reason)), "{problem}");
        assert!(!problem.to_string().contains(share.as_str()), "{problem}");
    }
    let (status, _) = world.refused("/v1/seal/open", json!({ "share": shares[1], "passphrase": "x" })).await;
    assert_eq!(status, 400);
    assert_eq!(world.seal_status().await["shares"]["given"], json!([1]));
    for share in &shares[1..3] {
        world.post("/v1/seal/open", one(share)).await;
    }
    assert!(world.vault.keyring.is_open());
}

async fn shares_are_forgotten_after_a_quarter_of_an_hour(database: TestDatabase) {
    let (world, shares) = sealed(database).await;
    world.post("/v1/seal/open", one(&shares[0])).await;
    world.clock.advance(GATHERING_LIFE - Duration::from_secs(1));
    world.post("/v1/seal/open", one(&shares[1])).await;
    world.clock.advance(Duration::from_secs(1));
    let answer = world.post("/v1/seal/open", one(&shares[2])).await;
    assert_eq!((&answer["open"], &answer["shares"]["given"]), (&json!(false), &json!([3])));
}

async fn cve_2026_5807_only_an_officer_can_have_the_shares_forgotten(database: TestDatabase) {
    let (world, shares) = sealed(database).await;
    world.post("/v1/seal/open", one(&shares[0])).await;
    let nobody = SecretText::new("lhk_none".into());
    for (key, status) in [(&nobody, 401), (&world.operator, 403)] {
        let (answered, _) = world.call(key, "POST", "/v1/seal/open/cancel", json!({})).await;
        assert_eq!(answered.as_u16(), status);
        let (answered, _) = world.call(key, "POST", "/v1/seal/open", one(&shares[1])).await;
        assert_eq!(answered.as_u16(), status);
        assert_eq!(world.seal_status().await["shares"]["given"], json!([1]));
    }
    let answer = world.post("/v1/seal/open/cancel", json!({})).await;
    assert_eq!(answer["shares"]["given"], json!([]));
    world.post("/v1/seal/open/cancel", json!({})).await;
    assert_eq!(world.entries("share.forgotten").await.len(), 1);
}
