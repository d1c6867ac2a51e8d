//! Two adjacent versions run together: the newer one's migration only expands the schema.

use crate::test_fleet::{Fleet, FleetOptions};

/// What the next version's migration would do.
const EXPANDS: &str = "
    ALTER TABLE tenants ADD COLUMN note TEXT;
    CREATE TABLE notes (id UUID PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'next', TRUE, 'x', 0);";

#[tokio::test]
async fn a_running_node_goes_on_beside_a_newer_schema_and_does_not_start_on_one() {
    let fleet = Fleet::with(FleetOptions { nodes: 2, ..FleetOptions::default() }).await;
    let lease = fleet.issue(0, 0).await.done();
    fleet.sql(EXPANDS).await;
    fleet.node(0).proxy.drop_connections();
    fleet.node(0).ready(&fleet.client).await;
    fleet.orders(0, &lease).await.done();
    fleet.issue(0, 0).await.done();

    let said = fleet.node(1).restart_refused().await;
    assert!(said.contains("does not fit this version") && said.contains("9999"), "{said}");
    fleet.revoke(0, 0).await.done();
}
