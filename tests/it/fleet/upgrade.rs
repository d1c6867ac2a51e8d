//! Two adjacent versions run together: the newer one's migration only expands the schema.

use crate::fleet_of::{Fleet, FleetOptions, Outcome};

/// What the next version's migration would do.
const EXPANDS: &str = "
    ALTER TABLE tenants ADD COLUMN note TEXT;
    CREATE TABLE notes (id UUID PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'next', TRUE, 'x', 0);";

#[tokio::test]
async fn a_running_node_goes_on_beside_a_newer_schema_and_does_not_start_on_one() {
    let fleet = Fleet::start(FleetOptions { nodes: 2, connections: 1 }).await;
    let Outcome::Done(lease) = fleet.issue(0, &fleet.connections[0]).await else { panic!("no lease") };
    fleet.cluster.run("postgres", EXPANDS).await;
    fleet.nodes[0].proxy.drop_connections();
    fleet.ready(0).await;
    assert!(matches!(fleet.gateway(0, &lease).await, Outcome::Done(_)));
    assert!(matches!(fleet.issue(0, &fleet.connections[0]).await, Outcome::Done(_)));

    fleet.nodes[1].kill9();
    let said = fleet.nodes[1].start_refused().await;
    assert!(said.contains("does not fit this version") && said.contains("9999"), "{said}");
    assert!(matches!(fleet.revoke(0, &fleet.connections[0]).await, Outcome::Done(_)));
}
