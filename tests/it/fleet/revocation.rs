use crate::fleet_of::{Fleet, FleetOptions, Outcome};

#[tokio::test]
async fn a_lease_of_one_node_works_at_another_until_a_third_revokes_it() {
    let fleet = Fleet::start(FleetOptions::default()).await;
    let shop = &fleet.connections[0];
    let Outcome::Done(lease) = fleet.issue(0, shop).await else { panic!("no lease") };
    for node in 0..3 {
        assert!(matches!(fleet.gateway(node, &lease).await, Outcome::Done(_)), "node {node}");
        assert!(matches!(fleet.token(node, &lease).await, Outcome::Done(_)), "node {node}");
    }
    let revoked = fleet.revoke(2, shop).await;
    let Outcome::Done(receipt) = revoked else { panic!("{revoked:?}") };
    let nodes = receipt["confirmation"]["nodes"].as_array().unwrap();
    let mut names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["node-0", "node-1", "node-2"], "{receipt}");
    assert!(nodes.iter().all(|node| node["ceased"] == "confirmed"), "{receipt}");
    for node in 0..3 {
        assert_eq!(fleet.gateway(node, &lease).await, Outcome::Refused);
        assert_eq!(fleet.token(node, &lease).await, Outcome::Refused);
        assert_eq!(fleet.issue(node, shop).await, Outcome::Refused);
    }
    assert!(matches!(fleet.import(1, shop).await, Outcome::Done(())));
    assert!(matches!(fleet.issue(0, shop).await, Outcome::Done(_)), "its owner may bring it back");
    assert_eq!(fleet.gateway(0, &lease).await, Outcome::Refused, "the old lease stays ended");
}
