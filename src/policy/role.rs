//! Who a person is to the vault: a role, and for people of a customer the tenant that the role is held in.

use crate::domain::words;
use crate::id::{TenantId, UserId};

words! {
    /// What a person may be. Owners and viewers belong to one tenant; the others are staff and belong to none.
    Role, "role" {
        /// Decides for a tenant: connects, grants, revokes.
        Owner = "owner",
        /// Sees what an owner sees, and changes nothing.
        Viewer = "viewer",
        /// Staff: runs the vault.
        Operator = "operator",
        /// Staff: seals, rotates, contains.
        SecurityOfficer = "security-officer",
        /// Staff: reads the evidence.
        Auditor = "auditor",
    }
}

impl Role {
    /// Tells whether the role is held in a tenant; the others are staff.
    #[must_use]
    pub const fn is_tenants(self) -> bool {
        matches!(self, Self::Owner | Self::Viewer)
    }
}

/// A person who acts, as authentication established. Holds a tenant exactly when the role is a tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    user: UserId,
    role: Role,
    tenant: Option<TenantId>,
    epoch: i64,
}

/// A role and a tenant do not go together: an owner or viewer without a tenant, staff with one, or anyone in
/// [`TenantId::VAULT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("user {user} has the role {role}, which does not go with tenant {tenant:?}")]
pub struct WrongTenancy {
    /// The user whose row says so.
    pub user: UserId,
    /// The role.
    pub role: Role,
    /// The tenant.
    pub tenant: Option<TenantId>,
}

impl Actor {
    /// Says who acts. `epoch` is the user's epoch that the session or access key was made under; the sequencer fences it.
    ///
    /// # Errors
    /// [`WrongTenancy`].
    pub fn new(user: UserId, role: Role, tenant: Option<TenantId>, epoch: i64) -> Result<Self, WrongTenancy> {
        if tenant.is_some() != role.is_tenants() || tenant == Some(TenantId::VAULT) {
            return Err(WrongTenancy { user, role, tenant });
        }
        Ok(Self { user, role, tenant, epoch })
    }

    /// Returns who acts.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Returns the role acted in.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Returns the tenant the person belongs to, or `None` for staff.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    /// Returns the user's epoch that the session or access key was made under.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_tenants_role_needs_a_tenant_and_staff_have_none() {
        let user = UserId::from_uuid(Uuid::from_u128(1));
        let tenant = Some(TenantId::from_uuid(Uuid::from_u128(2)));
        for &role in Role::ALL {
            assert_eq!(Actor::new(user, role, tenant, 0).is_ok(), role.is_tenants(), "{role}");
            assert_eq!(Actor::new(user, role, None, 0).is_ok(), !role.is_tenants(), "{role}");
            assert!(Actor::new(user, role, Some(TenantId::VAULT), 0).is_err(), "{role}");
        }
    }

    #[test]
    fn roles_travel_in_kebab_case() {
        assert_eq!(serde_json::to_string(&Role::SecurityOfficer).unwrap(), r#""security-officer""#);
        assert_eq!(Role::parse("SecurityOfficer"), None);
    }
}
