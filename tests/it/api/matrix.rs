//! Every operation of the OpenAPI document × every role × own, foreign and missing. An operation without a row of the
//! table fails the test, and so does a row without an operation.

use super::{
    table::{OTHERS, On, Row, TABLE, Target, Trace},
    world::{Answer, PROVIDER, Person, Tenant, World, new_connection, new_grant, text},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Method and path of an operation.
type Operations = BTreeMap<String, (String, String)>;

async fn operations(world: &World) -> Operations {
    let document = world.send("GET", "/openapi.json", None, None).await.expect(200);
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let place = (method.to_uppercase(), path.clone());
            assert!(operations.insert(text(&operation["operationId"]), place).is_none(), "{path} repeats an id");
        }
    }
    operations
}

/// What a cell's request names.
#[derive(Default)]
struct Object {
    id: String,
    key: String,
    query: String,
    body: Option<Value>,
}

#[tokio::test]
async fn every_operation_has_a_row_and_every_row_an_operation() {
    let world = World::make().await;
    let documented: BTreeSet<String> = operations(&world).await.into_keys().collect();
    let rows = TABLE.iter().map(|row| row.operation).chain(OTHERS.iter().map(|(operation, _)| *operation));
    let rows: Vec<String> = rows.map(str::to_owned).collect();
    let unique: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(unique.len(), rows.len(), "an operation has two rows");
    let missing: Vec<_> = documented.difference(&unique).collect();
    assert!(missing.is_empty(), "operations without a row: {missing:?}");
    let stale: Vec<_> = unique.difference(&documented).collect();
    assert!(stale.is_empty(), "rows without an operation: {stale:?}");
}

#[tokio::test]
async fn everybody_is_answered_as_the_table_says() {
    let shared = World::make().await;
    let operations = operations(&shared).await;
    let mut wrong = Vec::new();
    for row in TABLE {
        let own_world = if row.trace == Trace::Spoils { Some(World::make().await) } else { None };
        let world = own_world.as_ref().unwrap_or(&shared);
        let Some((method, path)) = operations.get(row.operation) else { continue };
        wrong.extend(RowTest { world, row, method, path }.run().await);
    }
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

struct RowTest<'a> {
    world: &'a World,
    row: &'a Row,
    method: &'a str,
    path: &'a str,
}

impl RowTest<'_> {
    async fn run(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.refuse_strangers(&mut wrong).await;
        let callers = self.callers();
        let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (place, &target) in self.row.on.targets().iter().enumerate() {
            for (caller, (role, person)) in callers.iter().enumerate() {
                let letters = self.row.answers[caller].as_bytes();
                assert_eq!(letters.len(), self.row.on.targets().len(), "{} {role}", self.row.operation);
                let answer = self.ask(person, target).await;
                let (expected, found) = (char::from(letters[place]), letter(&answer));
                if expected != found {
                    let (operation, told) = (self.row.operation, &answer.text);
                    wrong.push(format!("{operation} {role} {target:?}: expected {expected}, got {found}: {told}"));
                }
                if found == 'N' {
                    unknown.entry(role).or_default().push(answer.without_request_id());
                }
            }
        }
        // What is foreign must look as if it were not there, to the last byte.
        for (role, answers) in unknown {
            if answers.windows(2).any(|pair| pair[0] != pair[1]) {
                wrong.push(format!("{} {role}: foreign and missing are told apart: {answers:?}", self.row.operation));
            }
        }
        wrong
    }

    /// Asks with no key, with one that is none, and with a worker's lease.
    async fn refuse_strangers(&self, wrong: &mut Vec<String>) {
        let lease = self.world.test.lease().await;
        let object = self.object(&self.world.own.owner, Target::Own).await;
        for (who, key) in [("nobody", None), ("a wrong key", Some("lhk_none")), ("a worker", Some(&*lease))] {
            let status = self.send(key, &object).await.status.as_u16();
            // Workers follow what happens to the connection that their lease is for.
            let follows = self.row.operation == "events_follow" && who == "a worker";
            if status != if follows { 200 } else { 401 } {
                wrong.push(format!("{} {who}: {status}", self.row.operation));
            }
        }
    }

    fn callers(&self) -> [(&'static str, &Person); 5] {
        let World { own, operator, officer, auditor, .. } = self.world;
        [
            ("owner", &own.owner),
            ("viewer", &own.viewer),
            ("operator", operator),
            ("officer", officer),
            ("auditor", auditor),
        ]
    }

    async fn ask(&self, caller: &Person, target: Target) -> Answer {
        let object = self.object(caller, target).await;
        self.send(Some(&caller.key), &object).await
    }

    async fn send(&self, key: Option<&str>, object: &Object) -> Answer {
        let path = self.path.replace("{id}", &object.id).replace("{key}", &object.key);
        let path = path.replace("{sub_processor}", &self.world.sub_processor).replace("{provider}", PROVIDER);
        let path = path.replace("{seq}", &object.key).replace("{*tile}", "0/000.p/1");
        assert!(!path.contains('{'), "nothing fills {path}");
        self.world.send(self.method, &format!("{path}{}", object.query), key, object.body.clone()).await
    }

    /// Makes what the cell is about, new for each, so that what one cell ends the next does not miss.
    async fn object(&self, caller: &Person, target: Target) -> Object {
        let world = self.world;
        let tenant = match target {
            Target::Own => Some(&world.own),
            Target::Foreign => Some(&world.foreign),
            Target::Missing | Target::Staff | Target::Oneself => None,
        };
        let nobodys = missing(&world.own.id);
        let tenant_id = tenant.map_or_else(|| nobodys.clone(), |tenant| tenant.id.clone());
        let mut object = Object { id: nobodys.clone(), key: nobodys.clone(), body: self.body(), ..Object::default() };
        match (self.row.on, tenant) {
            (On::Nothing, _) if self.row.operation == "consistency_show" => object.query = "?older=1".into(),
            (On::Nothing, _) => {}
            (On::Entry, Some(tenant)) => object.key = world.entry(tenant).await,
            (On::Entry, None) => object.key = "999999999".into(),
            (On::Tenant | On::Objection, _) => object.id = tenant_id,
            (On::Share, _) => object.query = format!("?tenant={tenant_id}"),
            (On::Users, _) => {
                let (tenant, role) = match target {
                    Target::Staff => (None, "auditor"),
                    _ => (Some(tenant_id), "viewer"),
                };
                let email = format!("{}@example.com", world.fresh("new"));
                object.body = Some(json!({ "tenant": tenant, "email": email, "role": role }));
            }
            (On::TenantInBody, _) => object.body = Some(new_connection(Some(&tenant_id), &world.fresh("shop"))),
            (On::ConnectionInBody, Some(tenant)) => object.body = Some(new_grant(&world.connection(tenant).await)),
            (On::ConnectionInBody, None) => object.body = Some(new_grant(&nobodys)),
            (On::Connection, Some(tenant)) => object.id = world.connection(tenant).await,
            (On::SuspendedConnection, Some(tenant)) => object.id = self.suspended(tenant).await,
            (On::Grant, Some(tenant)) => object.id = world.grant(tenant).await,
            (On::Receipt, Some(tenant)) => object.id = world.receipt(tenant).await,
            (On::User | On::AccessKey, _) => (object.id, object.key) = self.person(caller, target, tenant).await,
            (On::Worker, Some(_)) => object.id = world.worker().await.0,
            (On::SubProcessor, Some(_)) => object.id.clone_from(&world.sub_processor),
            (_, None) => {}
        }
        object
    }

    async fn suspended(&self, tenant: &Tenant) -> String {
        let id = self.world.connection(tenant).await;
        let path = format!("/v1/connections/{id}/suspend");
        self.world.send("POST", &path, Some(&tenant.owner.key), Some(json!({}))).await.expect(200);
        id
    }

    /// Makes a person, and a key where the operation is about one.
    async fn person(&self, caller: &Person, target: Target, tenant: Option<&Tenant>) -> (String, String) {
        let world = self.world;
        let made;
        let (person, by) = match (target, tenant) {
            (Target::Oneself, _) => (caller, &*caller.key),
            (Target::Staff, _) => {
                made = world.user(&world.officer.key, None, "auditor").await;
                (&made, &*world.officer.key)
            }
            (_, Some(tenant)) => {
                made = world.user(&tenant.owner.key, None, "viewer").await;
                (&made, &*tenant.owner.key)
            }
            (_, None) => return (missing(&world.own.id), missing(&world.own.id)),
        };
        let keyed = self.row.on == On::AccessKey;
        let key = if keyed { world.access_key(by, &person.id).await } else { String::new() };
        (person.id.clone(), key)
    }

    /// Returns a valid body of the operations that take one and name nothing in it.
    fn body(&self) -> Option<Value> {
        let body = match self.row.operation {
            "tenant_add" => json!({ "name": self.world.fresh("Acme") }),
            "access_key_add" => json!({ "label": "laptop" }),
            "application_set" => json!({ "client_id": "a", "client_secret": "b", "public_id": "c" }),
            "sub_processor_add" => {
                json!({ "name": self.world.fresh("Host"), "service": "Hosts", "country": "DE", "basis": "EU" })
            }
            "worker_add" => json!({
                "name": self.world.fresh("sync"), "module": "ops", "sub_processor": self.world.sub_processor,
            }),
            "keys_rotate" => json!({ "key": "signer" }),
            "connection_import" => json!({ "refresh_token": "Atzr|none" }),
            "connection_authorize"
            | "connection_revoke"
            | "connection_suspend"
            | "tenant_revoke"
            | "worker_disable"
            | "revoke_all"
            | "seal_open" => json!({}),
            _ => return None,
        };
        Some(body)
    }
}

/// Returns an id that nobody has, and that looks like one of ours.
fn missing(like: &str) -> String {
    let last = if like.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &like[..like.len() - 1])
}

fn letter(answer: &Answer) -> char {
    match answer.status.as_u16() {
        200..300 => 'Y',
        400 => 'M',
        401 => 'U',
        403 => 'F',
        404 => 'N',
        409 => 'C',
        502 => 'P',
        _ => '?',
    }
}
