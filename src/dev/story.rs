//! The sample tenant, set up over the vault's own HTTP API as people would, through the simulated Amazon's consent page.

use super::DevError;
use crate::{
    cli::client::Client,
    dev::amazon::AmazonOptions,
    entropy::{Entropy, make_array},
    register::FirstStaff,
    secret::SecretText,
};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use url::Url;

const PROVIDER: &str = "amazon-sp-api";
/// The first seller that the simulator knows; it sells in Germany and the United Kingdom among others.
const SELLER: &str = "A2ZV5Q9KQ7MX1D";
const SCOPES: [&str; 4] = ["orders:read", "catalog:read", "inventory:read", "listings:read"];

/// Sets the story up, and returns what a ready file says of it besides the addresses.
pub(super) async fn tell(
    client: &Client,
    first: &FirstStaff,
    application: &AmazonOptions,
    entropy: &dyn Entropy,
) -> Result<Value, DevError> {
    let staff = client.with_token(first.operator.key.clone());
    let tenant = id_of(&staff.post("/v1/tenants", &json!({ "name": "acme" })).await?)?;
    let customer = person(&staff, Some(&tenant), "owner@acme.example", "owner", entropy).await?;
    let security = client.with_token(first.officer.key.clone());
    let officer = person(&security, None, "security@localhost", "security-officer", entropy).await?;
    let set = json!({
        "client_id": application.client_id,
        "client_secret": application.client_secret.expose(),
        "public_id": application.application_id,
    });
    staff.put(&format!("/v1/applications/{PROVIDER}"), &set).await?;
    let own = json!({ "name": "Own hosts", "service": "sync", "country": "DE", "basis": "own processing" });
    let sub_processor = id_of(&staff.post("/v1/sub-processors", &own).await?)?;

    let owner = client.with_token(SecretText::new(text_of(&customer["token"])?));
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
        "customer": customer,
        "officer": officer,
        "operator": { "token": first.operator.key.expose() },
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

/// Adds a person with a drawn password, and returns what they sign in with.
async fn person(
    client: &Client,
    tenant: Option<&str>,
    email: &str,
    role: &str,
    entropy: &dyn Entropy,
) -> Result<Value, DevError> {
    // Four classes of characters, as the vault asks for.
    let password = format!("Dev-{}", HEXLOWER.encode(&make_array::<12>(entropy)));
    let add = json!({ "tenant": tenant, "email": email, "role": role, "password": password });
    let added = client.post("/v1/users", &add).await?;
    Ok(json!({ "email": email, "password": password, "token": text_of(&added["access_key"])? }))
}

fn text_of(value: &Value) -> Result<String, DevError> {
    value.as_str().map(str::to_owned).ok_or(DevError::Answer("create"))
}

fn id_of(made: &Value) -> Result<String, DevError> {
    text_of(&made["id"])
}
