//! Pages of a listing: `?limit=&cursor=` gives `{items, next_cursor}`. A cursor is the last id of the page before.

use super::{caller::Caller, problem::Problem};
use crate::{id::TenantId, policy::object::Share, store};
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How many items a page holds when nothing is said.
const LIMIT: i64 = 50;

/// Which page is asked for.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items, 1 to 200; 50 when nothing is said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<Uuid>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = super::QueryOf::<Self>::from_request_parts(parts, state).await?.0;
        query.check()?;
        Ok(query)
    }
}

/// Which page of whose is asked for.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantPageQuery {
    /// Whose. A tenant's people see their own, and staff who say nothing everybody's.
    pub tenant: Option<TenantId>,
    /// How many items, 1 to 200; 50 when nothing is said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<Uuid>,
}

impl<S: Send + Sync> FromRequestParts<S> for TenantPageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = super::QueryOf::<Self>::from_request_parts(parts, state).await?.0;
        query.page().check()?;
        Ok(query)
    }
}

impl TenantPageQuery {
    /// Returns which page it is.
    #[must_use]
    pub fn page(&self) -> PageQuery {
        PageQuery { limit: self.limit, cursor: self.cursor }
    }

    /// Returns the share that is asked for; whether the caller may have it is to be decided.
    #[must_use]
    pub fn share(&self, caller: &Caller) -> Share {
        self.tenant.map_or_else(|| caller.share(), Share::One)
    }
}

impl PageQuery {
    /// Returns the page as the store reads it, one row longer to see whether more follow.
    #[must_use]
    pub fn page(&self) -> store::Page {
        store::Page { after: self.cursor.unwrap_or(Uuid::nil()), limit: self.limit() + 1 }
    }

    /// Cuts the rows that [`Self::page`] brought down to the page, and names the next one.
    pub fn cut<Row, Item>(
        &self,
        mut rows: Vec<Row>,
        id: impl Fn(&Row) -> Uuid,
        item: impl Fn(Row) -> Item,
    ) -> Listing<Item> {
        let limit = usize::try_from(self.limit()).expect("a limit is 1 to 200");
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(id) } else { None };
        Listing { items: rows.into_iter().map(item).collect(), next_cursor }
    }

    fn check(&self) -> Result<(), Problem> {
        match self.limit {
            Some(limit) if !(1..=store::Page::MAX).contains(&limit) => {
                Err(Problem::malformed("limit", "expected 1 to 200"))
            }
            _ => Ok(()),
        }
    }

    fn limit(&self) -> i64 {
        self.limit.unwrap_or(LIMIT)
    }
}

/// A page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The items, by id.
    pub items: Vec<T>,
    /// The cursor of the next page; none where this is the last.
    pub next_cursor: Option<Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_cursor() {
        let query = PageQuery { limit: Some(2), cursor: None };
        let ids = |count: u128| (1..=count).map(Uuid::from_u128).collect::<Vec<_>>();
        assert_eq!(query.page().limit, 3);
        assert_eq!(query.cut(ids(2), |id| *id, |id| id).next_cursor, None);
        let page = query.cut(ids(3), |id| *id, |id| id);
        assert_eq!((page.items.len(), page.next_cursor), (2, Some(Uuid::from_u128(2))));
    }
}
