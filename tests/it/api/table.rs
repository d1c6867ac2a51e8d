//! The table: for each operation of the document what it is done to, and what each role is answered.

/// What an operation is done to, and so which cells it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// Nothing that could be another's: one cell.
    Nothing,
    /// A tenant in the path.
    Tenant,
    /// A tenant in the query.
    Share,
    /// A tenant in the body; and none, which is staff.
    Users,
    /// A tenant in the body.
    TenantInBody,
    Connection,
    SuspendedConnection,
    ConnectionInBody,
    Grant,
    Receipt,
    /// An entry of the log, by its number.
    Entry,
    /// A tenant's objection to a sub-processor that exists.
    Objection,
    /// A person. Besides a tenant's, the caller and a member of staff.
    User,
    /// A person's access key.
    AccessKey,
    /// The vault's own: there is no foreign one.
    Worker,
    SubProcessor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Own,
    Foreign,
    Missing,
    Staff,
    /// Last, because it can end the caller.
    Oneself,
}

impl On {
    pub(super) const fn targets(self) -> &'static [Target] {
        use Target::{Foreign, Missing, Oneself, Own, Staff};
        match self {
            Self::Nothing => &[Own],
            Self::Worker | Self::SubProcessor => &[Own, Missing],
            Self::User | Self::AccessKey => &[Own, Foreign, Missing, Staff, Oneself],
            Self::Users => &[Own, Foreign, Missing, Staff],
            _ => &[Own, Foreign, Missing],
        }
    }
}

/// What happens in a world that later operations would trip over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// Later operations do not notice.
    None,
    /// It needs a world of its own.
    Spoils,
}

pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) on: On,
    pub(super) trace: Trace,
    /// For owner, viewer, operator, security officer and auditor a letter for each target: Yes, Forbidden, Not found,
    /// Conflict, Malformed, or Provider, for what passed every check and failed at the provider.
    pub(super) answers: [&'static str; 5],
}

const fn row(operation: &'static str, on: On, answers: [&'static str; 5]) -> Row {
    Row { operation, on, trace: Trace::None, answers }
}

const fn spoils(operation: &'static str, on: On, answers: [&'static str; 5]) -> Row {
    Row { operation, on, trace: Trace::Spoils, answers }
}

/// What people do.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    //                                                    owner    viewer   operator officer  auditor
    row("tenant_add", On::Nothing,                       ["F",     "F",     "Y",     "F",     "F"]),
    row("tenant_list", On::Nothing,                      ["F",     "F",     "Y",     "Y",     "Y"]),
    row("tenant_show", On::Tenant,                       ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    spoils("tenant_revoke", On::Tenant,                  ["YNN",   "FNN",   "FFN",   "YYN",   "FFN"]),

    //                                                    own, foreign, missing, staff, oneself
    row("user_add", On::Users,                           ["YNNM",  "FNNF",  "CCNF",  "FFFY",  "FFFF"]),
    row("user_list", On::Share,                          ["YNN",   "YNN",   "YYY",   "YYY",   "YYY"]),
    row("user_show", On::User,                           ["YNNNY", "YNNNY", "YYNYY", "YYNYY", "YYNYY"]),
    spoils("user_disable", On::User,                     ["YNNNY", "FNNNF", "FFNFF", "YYNYY", "FFNFF"]),
    row("access_key_add", On::User,                      ["YNNNY", "FNNNY", "FFNFY", "FFNYY", "FFNFY"]),
    row("access_key_list", On::User,                     ["YNNNY", "YNNNY", "YYNYY", "YYNYY", "YYNYY"]),
    row("access_key_end", On::AccessKey,                 ["YNNNY", "FNNNY", "FFNFY", "YYNYY", "FFNFY"]),

    row("application_list", On::Nothing,                 ["F",     "F",     "Y",     "Y",     "Y"]),
    spoils("application_set", On::Nothing,               ["F",     "F",     "Y",     "Y",     "F"]),

    row("sub_processor_add", On::Nothing,                ["F",     "F",     "Y",     "F",     "F"]),
    row("sub_processor_list", On::Nothing,               ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("sub_processor_show", On::SubProcessor,          ["YN",    "YN",    "YN",    "YN",    "YN"]),
    row("sub_processor_object", On::Objection,           ["YNN",   "FNN",   "FFF",   "FFF",   "FFF"]),
    row("sub_processor_accept", On::Objection,           ["YNN",   "FNN",   "FFF",   "FFF",   "FFF"]),

    row("worker_add", On::Nothing,                       ["F",     "F",     "Y",     "F",     "F"]),
    row("worker_list", On::Nothing,                      ["F",     "F",     "Y",     "Y",     "Y"]),
    row("worker_show", On::Worker,                       ["NN",    "NN",    "YN",    "YN",    "YN"]),
    row("worker_disable", On::Worker,                    ["NN",    "NN",    "YN",    "YN",    "FF"]),
    row("worker_secret_add", On::Worker,                 ["NN",    "NN",    "YN",    "YN",    "FF"]),

    row("connection_add", On::TenantInBody,              ["YNN",   "FNN",   "YYN",   "FFF",   "FFF"]),
    row("connection_list", On::Share,                    ["YNN",   "YNN",   "YYY",   "YYY",   "YYY"]),
    row("connection_show", On::Connection,               ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    row("connection_authorize", On::Connection,          ["YNN",   "FNN",   "FFN",   "FFN",   "FFN"]),
    row("connection_import", On::Connection,             ["PNN",   "FNN",   "PPN",   "FFN",   "FFN"]),
    row("connection_revoke", On::Connection,             ["YNN",   "FNN",   "FFN",   "YYN",   "FFN"]),
    row("connection_suspend", On::Connection,            ["YNN",   "FNN",   "YYN",   "YYN",   "FFN"]),
    row("connection_resume", On::SuspendedConnection,    ["YNN",   "FNN",   "FFN",   "YYN",   "FFN"]),

    row("grant_set", On::ConnectionInBody,               ["YNN",   "FNN",   "FFN",   "FFN",   "FFN"]),
    row("grant_list", On::Share,                         ["YNN",   "YNN",   "YYY",   "YYY",   "YYY"]),
    row("grant_show", On::Grant,                         ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    row("grant_end", On::Grant,                          ["YNN",   "FNN",   "FFN",   "FFN",   "FFN"]),

    row("receipt_show", On::Receipt,                     ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    row("receipt_residual", On::Receipt,                 ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    row("audit_list", On::Share,                         ["YNN",   "YNN",   "YYY",   "YYY",   "YYY"]),
    row("audit_export", On::Share,                       ["YNN",   "FNN",   "FFF",   "YYN",   "YYN"]),
    row("proof_show", On::Entry,                         ["YNN",   "YNN",   "YYN",   "YYN",   "YYN"]),
    row("audit_health_show", On::Nothing,                ["F",     "F",     "Y",     "Y",     "Y"]),
    row("checkpoint_show", On::Nothing,                  ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("consistency_show", On::Nothing,                 ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("verifiers_show", On::Nothing,                   ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("tile_show", On::Nothing,                        ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("tile_show_at_root", On::Nothing,                ["Y",     "Y",     "Y",     "Y",     "Y"]),
    row("events_follow", On::Nothing,                    ["Y",     "Y",     "Y",     "Y",     "Y"]),

    row("keys_rotate", On::Nothing,                      ["F",     "F",     "F",     "Y",     "F"]),
    row("keys_show", On::Nothing,                        ["F",     "F",     "Y",     "Y",     "Y"]),
    row("seal_show", On::Nothing,                        ["F",     "F",     "Y",     "Y",     "Y"]),
    row("seal_open", On::Nothing,                        ["F",     "F",     "F",     "Y",     "F"]),
    row("seal_open_cancel", On::Nothing,                 ["F",     "F",     "F",     "Y",     "F"]),
    spoils("seal_close", On::Nothing,                    ["F",     "F",     "F",     "Y",     "F"]),
    spoils("revoke_all", On::Nothing,                    ["F",     "F",     "F",     "Y",     "F"]),
];

/// Whom an operation is for that asks for no access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A worker, by its secret or its lease.
    Worker,
    /// A browser that a provider sends.
    Browser,
    Anyone,
}

/// What belongs to nobody's role. `others` refuses something at each.
pub(super) const OTHERS: &[(&str, For)] = &[
    ("token_issue", For::Worker),
    ("lwa_token_issue", For::Worker),
    ("token_introspect", For::Worker),
    ("token_revoke", For::Worker),
    ("credential_release", For::Worker),
    ("consent_callback", For::Browser),
    ("store_visit", For::Browser),
    ("discovery_show", For::Anyone),
];
