//! What a decision is about. Each action names the type of object that it takes, so that a permit for one connection
//! cannot be passed where another's is needed, and a listing cannot be passed for a thing.

use crate::id::{TenantId, UserId};

/// Where an object belongs, as far as a decision cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The vault itself, or a collection of it. That it exists is no secret.
    Vault,
    /// One thing of the vault's, known by an id: a worker, an application. To a tenant's people it does not exist.
    VaultThing,
    /// Staff and what is theirs. To a tenant's people it does not exist.
    Staff,
    /// Everything, across tenants. No tenant's person reaches so far.
    AllTenants,
    /// One tenant.
    Tenant(TenantId),
}

/// Something that an action can be done to.
pub trait Object {
    /// Says where the object belongs.
    fn home(&self) -> Home;

    /// Says whom the object is, where it is a person.
    fn person(&self) -> Option<UserId> {
        None
    }
}

/// The vault itself, or a collection that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultWide;

/// One thing of the vault's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfVault<Id>(pub Id);

/// A tenant, or a collection that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeTenant(pub TenantId);

/// One thing of a tenant's. `tenant` is read from the thing's row, never from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfTenant<Id> {
    /// The tenant that the row names.
    pub tenant: TenantId,
    /// The thing.
    pub id: Id,
}

/// One tenant's share of something, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// One tenant's, or with [`TenantId::VAULT`] the vault's own.
    One(TenantId),
    /// Everything, across tenants.
    All,
}

/// The people of a tenant, or with `None` the staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    /// The tenant, or `None` for staff.
    pub of: Option<TenantId>,
}

/// One person. `of` is read from the person's row, never from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneUser {
    /// The tenant that the person belongs to, or `None` for staff.
    pub of: Option<TenantId>,
    /// The person.
    pub id: UserId,
}

impl Object for VaultWide {
    fn home(&self) -> Home {
        Home::Vault
    }
}

impl<Id> Object for OfVault<Id> {
    fn home(&self) -> Home {
        Home::VaultThing
    }
}

impl Object for WholeTenant {
    fn home(&self) -> Home {
        Home::Tenant(self.0)
    }
}

impl<Id> Object for OfTenant<Id> {
    fn home(&self) -> Home {
        Home::Tenant(self.tenant)
    }
}

impl Object for Share {
    fn home(&self) -> Home {
        match self {
            Self::One(tenant) => Home::Tenant(*tenant),
            Self::All => Home::AllTenants,
        }
    }
}

impl Object for Users {
    fn home(&self) -> Home {
        self.of.map_or(Home::Staff, Home::Tenant)
    }
}

impl Object for OneUser {
    fn home(&self) -> Home {
        self.of.map_or(Home::Staff, Home::Tenant)
    }

    fn person(&self) -> Option<UserId> {
        Some(self.id)
    }
}
