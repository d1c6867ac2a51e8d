//! A lease: a short-lived right of one worker to use one connection for some scopes.
//!
//! Leases are not stored. The token is the lease itself, sealed under the lease key; this module owns the bytes inside:
//!
//! ```text
//! version 1 | incarnation 16 | id 16 | tenant 16 | connection 16 | grant 16 | worker 16 | sub-processor 16
//! | epochs 6 × 8 | issued 8 | expires 8 | module 1 | delivery 1 | certificate flag 1 [thumbprint 32]
//! | job length 1, job | scopes, space-separated, to the end
//! ```
//! All numbers are big-endian. Times are microseconds since the Unix epoch.

use super::fence::{Fence, Incarnation, VAULT_SUBJECT, derive_objection};
use crate::{
    clock::Timestamp,
    id::{ConnectionId, GrantId, LeaseId, SubProcessorId, TenantId, WorkerId},
    policy::{Delivery, Module, ScopeSet},
};
use std::time::Duration;
use uuid::Uuid;

/// How long a lease lives when nothing else is said.
pub const DEFAULT_LIFE: Duration = Duration::from_secs(15 * 60);
/// The longest life that a worker may ask for.
pub const MAX_LIFE: Duration = Duration::from_secs(60 * 60);
/// What LWA's dialect says in `expires_in`, because SDKs cache for an hour whatever they are told.
pub const LWA_EXPIRES_IN: Duration = Duration::from_secs(3_600);
/// How long such a lease really lives: longer than the SDKs cache it, so that it does not die in their hands.
pub const LWA_LIFE: Duration = Duration::from_secs(3_900);
/// The longest name of a job, in bytes.
pub const JOB_MAX: usize = 64;

const FORM: u8 = 1;

/// The epochs that a lease was issued under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Epochs {
    /// The vault's.
    pub vault: i64,
    /// The tenant's.
    pub tenant: i64,
    /// The connection's.
    pub connection: i64,
    /// The grant's.
    pub grant: i64,
    /// The worker's.
    pub worker: i64,
    /// That of the tenant's objection to the worker's sub-processor.
    pub objection: i64,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// The vault's incarnation that issued it.
    pub incarnation: Incarnation,
    /// Whose connection it is for.
    pub tenant: TenantId,
    /// Which connection it is for.
    pub connection: ConnectionId,
    /// The grant that it rests on.
    pub grant: GrantId,
    /// Who holds it.
    pub worker: WorkerId,
    /// Whose host the holder runs on.
    pub sub_processor: SubProcessorId,
    /// The epochs that it was issued under.
    pub epochs: Epochs,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The module that it is for.
    pub module: Module,
    /// How it may be used.
    pub delivery: Delivery,
    /// The SHA-256 thumbprint of the worker's certificate, when it had one (RFC 8705).
    pub certificate: Option<[u8; 32]>,
    /// The job that the worker named, at most [`JOB_MAX`] bytes.
    pub job: Option<String>,
    /// What it is for.
    pub scopes: ScopeSet,
}

/// The bytes inside a lease token are not a lease of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token does not hold a lease of this version")]
pub struct NotALease;

impl Lease {
    /// Lists the fences that every use of the lease must find unchanged.
    #[must_use]
    pub fn fences(&self) -> [Fence; 6] {
        let Epochs { vault, tenant, connection, grant, worker, objection } = self.epochs;
        let objection_subject = derive_objection(self.tenant.as_uuid(), self.sub_processor.as_uuid());
        [
            Fence { subject: VAULT_SUBJECT, epoch: vault },
            Fence { subject: self.tenant.as_uuid(), epoch: tenant },
            Fence { subject: self.connection.as_uuid(), epoch: connection },
            Fence { subject: self.grant.as_uuid(), epoch: grant },
            Fence { subject: self.worker.as_uuid(), epoch: worker },
            Fence { subject: objection_subject, epoch: objection },
        ]
    }

    /// Writes the lease's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let scopes = self.scopes.to_string();
        let mut out = Vec::with_capacity(256 + scopes.len());
        out.push(FORM);
        out.extend_from_slice(&self.incarnation.0);
        for id in [
            self.id.as_uuid(),
            self.tenant.as_uuid(),
            self.connection.as_uuid(),
            self.grant.as_uuid(),
            self.worker.as_uuid(),
            self.sub_processor.as_uuid(),
        ] {
            out.extend_from_slice(id.as_bytes());
        }
        let Epochs { vault, tenant, connection, grant, worker, objection } = self.epochs;
        for number in [vault, tenant, connection, grant, worker, objection] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.issued_at.as_micros().to_be_bytes());
        out.extend_from_slice(&self.expires_at.as_micros().to_be_bytes());
        out.push(module_byte(self.module));
        out.push(delivery_byte(self.delivery));
        match &self.certificate {
            Some(thumbprint) => {
                out.push(1);
                out.extend_from_slice(thumbprint);
            }
            None => out.push(0),
        }
        let job = self.job.as_deref().unwrap_or_default();
        out.push(u8::try_from(job.len()).expect("a job's name is at most 64 bytes"));
        out.extend_from_slice(job.as_bytes());
        out.extend_from_slice(scopes.as_bytes());
        out
    }

    /// Reads a lease's bytes, strictly.
    ///
    /// # Errors
    /// Where they are of another version, too short, or hold a word that is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotALease> {
        let mut rest = Reader(bytes);
        if rest.byte()? != FORM {
            return Err(NotALease);
        }
        let incarnation = Incarnation(rest.array()?);
        let mut uuid = || rest.array().map(Uuid::from_bytes);
        let (id, tenant, connection) = (uuid()?, uuid()?, uuid()?);
        let (grant, worker, sub_processor) = (uuid()?, uuid()?, uuid()?);
        let epochs = Epochs {
            vault: rest.number()?,
            tenant: rest.number()?,
            connection: rest.number()?,
            grant: rest.number()?,
            worker: rest.number()?,
            objection: rest.number()?,
        };
        let issued_at = Timestamp::from_micros(rest.number()?);
        let expires_at = Timestamp::from_micros(rest.number()?);
        let module = *Module::ALL.get(usize::from(rest.byte()?)).ok_or(NotALease)?;
        let delivery = *Delivery::ALL.get(usize::from(rest.byte()?)).ok_or(NotALease)?;
        let certificate = match rest.byte()? {
            0 => None,
            1 => Some(rest.array()?),
            _ => return Err(NotALease),
        };
        let job_length = usize::from(rest.byte()?);
        let job = match rest.text(job_length)? {
            "" => None,
            job => Some(job.to_owned()),
        };
        let scopes = rest.text(rest.0.len())?.parse().map_err(|_| NotALease)?;
        Ok(Self {
            id: LeaseId::from_uuid(id),
            incarnation,
            tenant: TenantId::from_uuid(tenant),
            connection: ConnectionId::from_uuid(connection),
            grant: GrantId::from_uuid(grant),
            worker: WorkerId::from_uuid(worker),
            sub_processor: SubProcessorId::from_uuid(sub_processor),
            epochs,
            issued_at,
            expires_at,
            module,
            delivery,
            certificate,
            job,
            scopes,
        })
    }
}

fn module_byte(module: Module) -> u8 {
    Module::ALL
        .iter()
        .position(|one| *one == module)
        .and_then(|at| u8::try_from(at).ok())
        .expect("there are four modules")
}

fn delivery_byte(delivery: Delivery) -> u8 {
    let at = Delivery::ALL.iter().position(|one| *one == delivery);
    at.and_then(|at| u8::try_from(at).ok()).expect("there are three deliveries")
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotALease> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(NotALease)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, NotALease> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<i64, NotALease> {
        self.array().map(i64::from_be_bytes)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, NotALease> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(NotALease)?;
        self.0 = rest;
        std::str::from_utf8(head).map_err(|_| NotALease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        let id = Uuid::from_u128;
        Lease {
            id: LeaseId::from_uuid(id(1)),
            incarnation: Incarnation([9; 16]),
            tenant: TenantId::from_uuid(id(2)),
            connection: ConnectionId::from_uuid(id(3)),
            grant: GrantId::from_uuid(id(4)),
            worker: WorkerId::from_uuid(id(5)),
            sub_processor: SubProcessorId::from_uuid(id(6)),
            epochs: Epochs { vault: 1, tenant: 2, connection: 3, grant: 4, worker: 5, objection: 0 },
            issued_at: Timestamp::from_micros(7),
            expires_at: Timestamp::from_micros(8),
            module: Module::Logistics,
            delivery: Delivery::Token,
            certificate: Some([3; 32]),
            job: Some("nightly".into()),
            scopes: "inventory:read orders:read".parse().unwrap(),
        }
    }

    #[test]
    fn a_lease_survives_its_own_bytes() {
        for lease in [lease(), Lease { certificate: None, job: None, ..lease() }] {
            assert_eq!(Lease::from_bytes(&lease.to_bytes()), Ok(lease));
        }
    }

    #[test]
    fn a_shortened_lease_is_none() {
        let bytes = lease().to_bytes();
        let fixed = bytes.len() - "inventory:read orders:read".len();
        for length in 0..fixed {
            assert_eq!(Lease::from_bytes(&bytes[..length]), Err(NotALease), "{length} bytes");
        }
    }

    #[test]
    fn a_lease_of_another_version_is_none() {
        let mut bytes = lease().to_bytes();
        bytes[0] = 2;
        assert_eq!(Lease::from_bytes(&bytes), Err(NotALease));
    }

    #[test]
    fn a_lease_is_fenced_on_all_six_subjects() {
        let subjects: std::collections::HashSet<_> = lease().fences().iter().map(|fence| fence.subject).collect();
        assert_eq!(subjects.len(), 6);
    }
}
