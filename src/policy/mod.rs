//! What is allowed: scopes, roles, the one table of who may do what, and the egress path policy. Pure: nothing here
//! reads a clock, a socket or a row, so every rule can be tested exhaustively.

pub mod decide;
pub mod method;
pub mod object;
pub mod path;
pub mod purpose;
pub mod role;
pub mod scope;
pub mod template;

pub use decide::{Action, Permit, Refusal, decide};
pub use method::{METHOD_OVERRIDE_HEADERS, Method};
pub use path::{CanonicalTarget, PathRefusal};
pub use purpose::{Delivery, Module};
pub use role::{Actor, Role};
pub use scope::{Scope, ScopeSet};
pub use template::TemplateSet;
