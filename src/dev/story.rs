//! The sample tenant, set up over the vault's own HTTP API as people would, through the simulated Amazon's consent page.

use super::{DevError, people::person_add};
use crate::{
    cli::client::Client, dev::amazon::AmazonOptions, id::TenantId, policy::Role, secret::SecretText, vault::Vault,
};
use serde_json::{Value, json};
use url::Url;

const PROVIDER: &str = "amazon-sp-api";
/// The first seller that the simulator knows; it sells in Germany and the United Kingdom among others.
const SELLER: &str = "A2ZV5Q9KQ7MX1D";
const SCOPES: [&str; 4] = ["orders:read", "catalog:read", "inventory:read", "listings:read"];

/// Sets the story up, and returns what a ready file says of it besides the addresses.
pub(super) async fn tell(
    vault: &Vault,
    client: &Client,
    operator: &SecretText,
    application: &AmazonOptions,
) -> Result<Value, DevError> {
    let staff = client.with_token(operator.clone());
    let tenant = id_of(&staff.post("/v1/tenants", &json!({ "name": "acme" })).await?)?;
    let acme: TenantId = tenant.parse().map_err(|_| DevError::Answer("tenant"))?;
    let customer = person_add(vault, Some(acme), "owner@acme.example", Role::Owner).await?;
    let officer = person_add(vault, None, "security@localhost", Role::SecurityOfficer).await?;
    let set = json!({
        "client_id": application.client_id,
        "client_secret": application.client_secret.expose(),
        "public_id": application.application_id,
    });
    staff.put(&format!("/v1/applications/{PROVIDER}"), &set).await?;
    let own = json!({ "name": "Own hosts", "service": "sync", "country": "DE", "basis": "own processing" });
    let sub_processor = id_of(&staff.post("/v1/sub-processors", &own).await?)?;

    let owner = client.with_token(customer.token.clone());
    let add = json!({ "tenant": tenant, "provider": PROVIDER, "name": "Birkenfeld EU", "kind": "seller",
        "region": "eu", "country": "DE", "account": null });
    let connection = id_of(&owner.post("/v1/connections", &add).await?)?;
    consent(client, &owner, &connection).await?;
    let grant = json!({ "connection": connection, "module": "ops", "scopes": SCOPES, "delivery": "token" });
    owner.put("/v1/grants", &grant).await?;
    let add = json!({ "name": "sample sync", "module": "ops", "sub_processor": sub_processor });
    let worker = staff.post("/v1/workers", &add).await?;
    Ok(json!({
        "tenant": tenant,
        "connection": connection,
        "worker": { "id": worker["id"], "client_id": worker["client_id"], "client_secret": worker["client_secret"] },
        "customer": { "email": customer.email, "password": customer.password.expose(), "token": customer.token.expose() },
        "officer": { "email": officer.email, "password": officer.password.expose(), "token": officer.token.expose() },
        "operator": { "token": operator.expose() },
    }))
}

/// Consents as the seller's browser would: begins, confirms on Amazon's page, and follows the way back.
async fn consent(browser: &Client, owner: &Client, connection: &str) -> Result<(), DevError> {
    let begun = owner.post(&format!("/v1/connections/{connection}/authorize"), &json!({})).await?;
    let url = begun["url"].as_str().and_then(|url| Url::parse(url).ok()).ok_or(DevError::Answer("consent"))?;
    let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    form.push(("selling_partner_id".into(), SELLER.into()));
    form.push(("decision".into(), "confirm".into()));
    let mut page = url;
    page.set_query(None);
    let back = browser.submit(&page, &form).await?.ok_or(DevError::Answer("consent page"))?;
    browser.visit(&back).await?;
    Ok(())
}

fn id_of(made: &Value) -> Result<String, DevError> {
    made["id"].as_str().map(str::to_owned).ok_or(DevError::Answer("create"))
}
