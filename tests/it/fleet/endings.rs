//! The endings that give no receipt: a changed or ended grant, a lease that is given back, an objection, a disabled person.
//! When one is answered, it is true on every node.

use crate::test_fleet::Fleet;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// Counts the nodes that have not yet followed the newest raise or the newest end of a lease.
const BEHIND: &str = "
    SELECT COUNT(*) FROM nodes
    WHERE cut_through < (SELECT MAX(turn) FROM (SELECT turn FROM epochs UNION ALL SELECT turn FROM ended_leases) ended)";

impl Fleet {
    fn owner(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.node(0).api);
        self.client.request(method, url).bearer_auth(self.connections[0].owner.expose())
    }
}

async fn ends(fleet: &Fleet, what: &str, request: RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{what}: {}", answer.status());
    assert_eq!(fleet.cluster().count(BEHIND).await, 0, "{what}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn an_ending_is_true_on_every_node_when_it_is_answered() {
    let fleet = Fleet::start().await;
    // News reach one node late. It holds the head no longer for it than the server allows: it signs checkpoints too.
    fleet.node(1).proxy.delay(Duration::from_millis(40));
    let (worker, lease) = (&fleet.workers[0], fleet.issue(0, 0).await.done());
    let form = [("token", &*lease), ("client_id", &worker.id), ("client_secret", &worker.secret)];
    let back = fleet.client.post(format!("{}/oauth2/revoke", fleet.node(0).api)).form(&form);
    ends(&fleet, "a lease given back", back).await;

    let grants: Value = fleet.owner(Method::GET, "/v1/grants").send().await.unwrap().json().await.unwrap();
    let (grant, module) = (&grants["items"][0]["id"], &grants["items"][0]["module"]);
    let terms = json!({ "connection": fleet.connections[0].id, "module": module, "scopes": ["orders:read"],
        "delivery": "gateway" });
    ends(&fleet, "a changed grant", fleet.owner(Method::PUT, "/v1/grants").json(&terms)).await;
    let path = format!("/v1/grants/{}", grant.as_str().unwrap());
    ends(&fleet, "an ended grant", fleet.owner(Method::DELETE, &path)).await;

    let all: Value = fleet.owner(Method::GET, "/v1/sub-processors").send().await.unwrap().json().await.unwrap();
    let sub_processor = all["items"][0]["id"].as_str().unwrap();
    let path = format!("/v1/tenants/{}/objections/{sub_processor}", fleet.connections[0].tenant);
    ends(&fleet, "an objection", fleet.owner(Method::PUT, &path)).await;

    let person = json!({ "email": "someone@example.com", "role": "owner" });
    let added = fleet.owner(Method::POST, "/v1/users").json(&person).send().await.unwrap();
    let added: Value = added.json().await.unwrap();
    let path = format!("/v1/users/{}/disable", added["id"].as_str().expect("a person was added"));
    ends(&fleet, "a disabled person", fleet.owner(Method::POST, &path)).await;
}
