//! The one place that says who may do what (DESIGN sections 11 and 12). A [`Permit`] comes out of [`decide`] and nowhere
//! else, and the services demand one: a handler that forgot to ask does not compile. What the table does not allow is
//! refused.

use super::{
    object::{Home, Object, OfTenant, OfVault, OneUser, Share, Users, VaultWide, WholeTenant},
    role::{Actor, Role},
};
use crate::id::{ConnectionId, GrantId, ReceiptId, SubProcessorId, WorkerId};
use std::fmt;

/// Decides whether `actor` may do `A` to `object`. Pure: the answer depends on nothing else.
///
/// # Errors
/// [`Refusal`]. To a person of a tenant an object outside the tenant is always [`Refusal::Foreign`], whatever the role.
pub fn decide<A: Action>(actor: &Actor, object: A::Object) -> Result<Permit<A>, Refusal> {
    let home = object.home();
    let oneself = object.person() == Some(actor.user());
    let allowed = match may(A::NAME, actor.role()) {
        May::No => false,
        May::Yes => true,
        May::Oneself => oneself,
        May::InTenants => matches!(home, Home::Tenant(_)),
        May::AmongStaff => home == Home::Staff,
    };
    if let Some(tenant) = actor.tenant() {
        match home {
            Home::Tenant(other) if other == tenant => {}
            Home::Tenant(_) | Home::Staff | Home::VaultThing => return Err(Refusal::Foreign),
            Home::AllTenants => return Err(Refusal::Role),
            Home::Vault => {}
        }
    }
    if allowed { Ok(Permit { actor: *actor, object }) } else { Err(Refusal::Role) }
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The object is not the actor's to know of. The answer must be the one for an object that does not exist.
    #[error("no such object")]
    Foreign,
    /// The actor may know of the object, and the role may not do this to it.
    #[error("this role may not do that")]
    Role,
}

/// Proof that an actor may do `A` to the object that it carries. Only [`decide`] makes one.
pub struct Permit<A: Action> {
    actor: Actor,
    object: A::Object,
}

impl<A: Action> Permit<A> {
    /// Returns who was permitted.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Returns what was permitted to be acted on. Services act on this, never on an id that came beside the permit.
    #[must_use]
    pub const fn object(&self) -> &A::Object {
        &self.object
    }
}

impl<A: Action> fmt::Debug for Permit<A>
where
    A::Object: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({} on {:?} by {})", A::NAME, self.object, self.actor.user())
    }
}

/// What a person can ask to do. Sealed: the actions are those of the table below.
pub trait Action: sealed::Sealed {
    /// What it is done to.
    type Object: Object;
    /// Its name, as the audit log says it.
    const NAME: ActionName;
}

mod sealed {
    pub trait Sealed {}
}

/// How far a role's right to an action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// Not at all.
    No,
    /// Wherever the role reaches: staff everywhere, a tenant's people within their tenant.
    Yes,
    /// To the actor's own account only.
    Oneself,
    /// To tenants and what is theirs, not to staff.
    InTenants,
    /// To staff, not to tenants' people.
    AmongStaff,
}

/// Declares the actions: a type each for [`decide`], a name each for the audit log, and the table.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident($object:ty) = $text:literal
        [$owner:ident $viewer:ident $operator:ident $officer:ident $auditor:ident];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Action for $name {
                type Object = $object;
                const NAME: ActionName = ActionName::$name;
            }
        )*

        /// The name of an action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ActionName {
            $($(#[$doc])* $name,)*
        }

        impl ActionName {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the name as the audit log says it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        const fn may(action: ActionName, role: Role) -> May {
            let [owner, viewer, operator, officer, auditor] = match action {
                $(ActionName::$name => [May::$owner, May::$viewer, May::$operator, May::$officer, May::$auditor],)*
            };
            match role {
                Role::Owner => owner,
                Role::Viewer => viewer,
                Role::Operator => operator,
                Role::SecurityOfficer => officer,
                Role::Auditor => auditor,
            }
        }
    };
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[rustfmt::skip]
actions! {
    //                                                                         owner viewer operator officer auditor

    /// Adds a customer.
    TenantAdd(VaultWide) = "tenant.add"                                        [No   No      Yes       No      No];
    /// Lists the customers.
    TenantList(VaultWide) = "tenant.list"                                      [No   No      Yes       Yes     Yes];
    /// Shows one customer.
    TenantShow(WholeTenant) = "tenant.show"                                    [Yes  Yes     Yes       Yes     Yes];
    /// Takes a customer's records away. Staff have no use for a whole customer in one file.
    TenantExport(WholeTenant) = "tenant.export"                                [Yes  No      No        No      No];
    /// Ends all access to all of a customer's connections.
    TenantRevoke(WholeTenant) = "tenant.revoke"                                [Yes  No      No        Yes     No];
    /// Destroys a customer's credentials and personal data, for ever.
    TenantErase(WholeTenant) = "tenant.erase"                                  [Yes  No      No        No      No];

    /// Adds a person. An operator adds a tenant's first owner; staff are added by a security officer, so that an
    /// operator cannot make officers.
    UserAdd(Users) = "user.add"                                                [Yes  No      InTenants AmongStaff No];
    /// Lists people, for the quarterly access review.
    UserList(Users) = "user.list"                                              [Yes  Yes     Yes       Yes     Yes];
    /// Shows a person.
    UserShow(OneUser) = "user.show"                                            [Yes  Yes     Yes       Yes     Yes];
    /// Ends a person's sessions and access keys, for good.
    UserDisable(OneUser) = "user.disable"                                      [Yes  No      No        Yes     No];
    /// Makes an access key that acts as the person. Staff cannot make one that acts as a customer: it would let them
    /// grant and connect in the customer's name.
    AccessKeyAdd(OneUser) = "access-key.add"                                   [Yes  Oneself Oneself   AmongStaff Oneself];
    /// Ends an access key.
    AccessKeyRevoke(OneUser) = "access-key.revoke"                             [Yes  Oneself Oneself   Yes     Oneself];

    /// Stores the client id and secret of our own application at a provider.
    ApplicationSet(VaultWide) = "application.set"                              [No   No      Yes       Yes     No];
    /// Lists our applications, without their secrets.
    ApplicationList(VaultWide) = "application.list"                            [No   No      Yes       Yes     Yes];

    /// Adds a company whose hosts workers run on.
    SubProcessorAdd(VaultWide) = "sub-processor.add"                           [No   No      Yes       No      No];
    /// Lists the sub-processors: customers have a right to know them (GDPR article 28).
    SubProcessorList(VaultWide) = "sub-processor.list"                         [Yes  Yes     Yes       Yes     Yes];
    /// Raises or withdraws a customer's objection to a sub-processor.
    SubProcessorObject(OfTenant<SubProcessorId>) = "sub-processor.object"      [Yes  No      No        No      No];

    /// Adds a workload identity.
    WorkerAdd(VaultWide) = "worker.add"                                        [No   No      Yes       No      No];
    /// Lists the workers.
    WorkerList(VaultWide) = "worker.list"                                      [No   No      Yes       Yes     Yes];
    /// Shows a worker.
    WorkerShow(OfVault<WorkerId>) = "worker.show"                              [No   No      Yes       Yes     Yes];
    /// Ends a worker and all of its leases.
    WorkerDisable(OfVault<WorkerId>) = "worker.disable"                        [No   No      Yes       Yes     No];
    /// Gives a worker a further secret, to rotate.
    WorkerSecretAdd(OfVault<WorkerId>) = "worker.secret-add"                   [No   No      Yes       Yes     No];

    /// Prepares a connection. An operator's is recorded in the customer's own chain.
    ConnectionAdd(WholeTenant) = "connection.add"                              [Yes  No      Yes       No      No];
    /// Lists connections.
    ConnectionList(Share) = "connection.list"                                  [Yes  Yes     Yes       Yes     Yes];
    /// Shows a connection, never its credential.
    ConnectionShow(OfTenant<ConnectionId>) = "connection.show"                 [Yes  Yes     Yes       Yes     Yes];
    /// Begins consent at the provider. Nobody consents for a customer.
    ConnectionAuthorize(OfTenant<ConnectionId>) = "connection.authorize"       [Yes  No      No        No      No];
    /// Stores a credential that was obtained elsewhere.
    ConnectionImport(OfTenant<ConnectionId>) = "connection.import"             [Yes  No      Yes       No      No];
    /// Ends all access to a connection.
    ConnectionRevoke(OfTenant<ConnectionId>) = "connection.revoke"             [Yes  No      No        Yes     No];
    /// Stops access to a connection, reversibly.
    ConnectionSuspend(OfTenant<ConnectionId>) = "connection.suspend"           [Yes  No      Yes       Yes     No];
    /// Lets a suspended connection be used again.
    ConnectionResume(OfTenant<ConnectionId>) = "connection.resume"             [Yes  No      No        Yes     No];

    /// Permits a module to use a connection, or changes how.
    GrantSet(OfTenant<ConnectionId>) = "grant.set"                             [Yes  No      No        No      No];
    /// Lists grants.
    GrantList(Share) = "grant.list"                                            [Yes  Yes     Yes       Yes     Yes];
    /// Shows a grant.
    GrantShow(OfTenant<GrantId>) = "grant.show"                                [Yes  Yes     Yes       Yes     Yes];
    /// Ends a grant and the leases under it.
    GrantEnd(OfTenant<GrantId>) = "grant.end"                                  [Yes  No      No        No      No];

    /// Ends every lease of every customer.
    RevokeAll(VaultWide) = "vault.revoke-all"                                  [No   No      No        Yes     No];
    /// Shows a revocation's receipt.
    ReceiptShow(OfTenant<ReceiptId>) = "receipt.show"                          [Yes  Yes     Yes       Yes     Yes];
    /// Reads the audit log: a customer's people their own chain, staff all of it.
    AuditRead(Share) = "audit.read"                                            [Yes  Yes     Yes       Yes     Yes];
    /// Reads checkpoints, tiles of hashes, and the keys that sign: nothing of what the entries say.
    CheckpointRead(VaultWide) = "audit.checkpoint-read"                        [Yes  Yes     Yes       Yes     Yes];
    /// Shows whether the stored log is sound, and who vouches for it.
    AuditHealthShow(VaultWide) = "audit.health-show"                           [No   No      Yes       Yes     Yes];
    /// Takes a chain of the audit log away, with its proofs.
    AuditExport(Share) = "audit.export"                                        [Yes  No      No        Yes     Yes];
    /// Follows revocations and changes as they happen.
    EventsRead(Share) = "events.read"                                          [Yes  Yes     Yes       Yes     Yes];

    /// Shows the keys' versions and the progress of a rotation.
    KeysShow(VaultWide) = "keys.show"                                          [No   No      Yes       Yes     Yes];
    /// Rotates, reseals, recovers, turns over.
    KeysRotate(VaultWide) = "keys.rotate"                                      [No   No      No        Yes     No];
    /// Shows whether the vault is sealed, and by what.
    SealShow(VaultWide) = "seal.show"                                          [No   No      Yes       Yes     Yes];
    /// Unseals the vault.
    SealOpen(VaultWide) = "seal.open"                                          [No   No      No        Yes     No];
    /// Seals the vault: nothing is released until it is opened again.
    SealClose(VaultWide) = "seal.close"                                        [No   No      No        Yes     No];
    /// Accepts a restored database under a new incarnation.
    RestoreAccept(VaultWide) = "vault.restore-accept"                          [No   No      No        Yes     No];
}

#[cfg(test)]
mod tests;
